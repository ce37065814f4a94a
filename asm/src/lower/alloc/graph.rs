//! The interference graph, and copies made one register.

use crate::isa::Width;
use crate::lower::bits::RegSet;
use crate::lower::cfg::{Cfg, InstKind, MACHINE_REGS, Src, VReg};
use crate::lower::live::{self, CLOBBERED, Liveness};

/// Which registers interfere.
pub(super) struct Graph {
    neighbours: Vec<RegSet>,
    /// Registers that were made one point to the one they became part of.
    alias: Vec<VReg>,
    /// Copies, as pairs of registers.
    copies: Vec<(VReg, VReg)>,
    /// How often each register is read or assigned.
    uses: Vec<u32>,
}

impl Graph {
    /// The graph of a program in the machine's form.
    pub(super) fn of(cfg: &Cfg) -> Self {
        let mut graph = Graph {
            neighbours: vec![RegSet::default(); cfg.next_reg as usize],
            alias: (0..cfg.next_reg).map(VReg).collect(),
            copies: Vec::new(),
            uses: vec![0; cfg.next_reg as usize],
        };
        for a in 0..MACHINE_REGS {
            for b in 0..a {
                graph.edge(VReg(a), VReg(b));
            }
        }
        let liveness = Liveness::of(cfg);
        for id in cfg.order() {
            let Some(block) = cfg.block(id) else {
                continue;
            };
            let Some(mut live) = liveness.at_end(id.0, block) else {
                continue;
            };
            block.end.reads(|reg| graph.used(reg));
            for inst in block.insts.iter().rev() {
                graph.inst(&inst.kind, &live);
                live::before(&mut live, inst);
            }
        }
        graph
    }

    /// Adds what an instruction says, `live` being what is live behind it.
    fn inst(&mut self, kind: &InstKind, live: &RegSet) {
        kind.reads(|reg| self.used(reg));
        let mut copied = None;
        if let InstKind::Mov {
            width: Width::W64,
            dst,
            src: Src::Reg(src),
        } = kind
        {
            self.copies.push((*dst, *src));
            // A copy and its original may share a register: they hold the same.
            copied = Some(*src);
        }
        if let Some(dst) = kind.dst() {
            self.used(dst);
            self.assigned(dst, live, copied);
        }
        if let InstKind::CallHelper { .. } = kind {
            for reg in CLOBBERED {
                self.assigned(reg, live, None);
            }
        }
    }

    fn used(&mut self, reg: VReg) {
        if let Some(uses) = self.uses.get_mut(reg.index()) {
            *uses += 1;
        }
    }

    fn assigned(&mut self, dst: VReg, live: &RegSet, except: Option<VReg>) {
        for other in live.iter() {
            if other != dst && Some(other) != except {
                self.edge(dst, other);
            }
        }
    }

    fn edge(&mut self, a: VReg, b: VReg) {
        for (from, to) in [(a, b), (b, a)] {
            if let Some(set) = self.neighbours.get_mut(from.index()) {
                set.insert(to);
            }
        }
    }

    pub(super) fn interfere(&self, a: VReg, b: VReg) -> bool {
        let set = self.neighbours.get(a.index());
        set.is_some_and(|set| set.contains(b))
    }

    pub(super) fn neighbours(&self, reg: VReg) -> impl Iterator<Item = VReg> + '_ {
        let set = self.neighbours.get(reg.index());
        set.into_iter().flat_map(RegSet::iter)
    }

    pub(super) fn degree(&self, reg: VReg) -> usize {
        self.neighbours.get(reg.index()).map_or(0, RegSet::len)
    }

    pub(super) fn use_count(&self, reg: VReg) -> u32 {
        self.uses.get(reg.index()).copied().unwrap_or(0)
    }

    /// The copies that are left, between different registers.
    pub(super) fn copies(&self) -> impl Iterator<Item = (VReg, VReg)> + '_ {
        let copies = self.copies.iter();
        let ends = copies.map(|(a, b)| (self.representative(*a), self.representative(*b)));
        ends.filter(|(a, b)| a != b)
    }

    /// The register that `reg` became part of; itself if none.
    pub(super) fn representative(&self, reg: VReg) -> VReg {
        let mut at = reg;
        while let Some(next) = self.alias.get(at.index())
            && *next != at
        {
            at = *next;
        }
        at
    }

    /// The virtual registers that are no part of another and are used at all.
    pub(super) fn virtuals(&self) -> Vec<VReg> {
        let all = (MACHINE_REGS..self.alias.len() as u32).map(VReg);
        all.filter(|reg| self.representative(*reg) == *reg && self.use_count(*reg) > 0)
            .collect()
    }

    /// These registers and all that became part of them.
    pub(super) fn with_coalesced(&self, regs: &[VReg]) -> Vec<VReg> {
        let all = (MACHINE_REGS..self.alias.len() as u32).map(VReg);
        all.filter(|reg| regs.contains(&self.representative(*reg)))
            .collect()
    }

    /// Makes the ends of copies one register, where that cannot cost a colour. What cannot be
    /// one at first may be when others are.
    pub(super) fn coalesce(&mut self) {
        let mut left = self.copies.len() + 1;
        let mut copies: Vec<(VReg, VReg)> = self.copies().collect();
        while copies.len() < left {
            left = copies.len();
            copies.retain(|(a, b)| {
                let (a, b) = (self.representative(*a), self.representative(*b));
                if a == b {
                    return false;
                }
                let can = self.can_be_one(a, b);
                match b.is_machine() {
                    _ if !can => {}
                    true => self.make_one(a, b),
                    false => self.make_one(b, a),
                }
                !can
            });
        }
    }

    fn can_be_one(&self, a: VReg, b: VReg) -> bool {
        if self.interfere(a, b) {
            return false;
        }
        match (a.is_machine(), b.is_machine()) {
            (true, true) => false,
            (true, false) => self.george(b, a),
            (false, true) => self.george(a, b),
            (false, false) => self.briggs(a, b),
        }
    }

    /// Whether each neighbour of `reg` is easily coloured, or interferes with `machine` anyhow.
    fn george(&self, reg: VReg, machine: VReg) -> bool {
        self.neighbours(reg).all(|other| {
            self.is_easy(other) || other.is_machine() || self.interfere(other, machine)
        })
    }

    /// Whether the two together have fewer hard neighbours than there are colours.
    fn briggs(&self, a: VReg, b: VReg) -> bool {
        let (Some(of_a), Some(of_b)) = (
            self.neighbours.get(a.index()),
            self.neighbours.get(b.index()),
        ) else {
            return false;
        };
        let mut both = of_a.clone();
        both.union(of_b);
        let hard = both.iter().filter(|other| {
            // A neighbour of both loses one neighbour.
            let shared = usize::from(of_a.contains(*other) && of_b.contains(*other));
            other.is_machine() || self.degree(*other) - shared >= MACHINE_REGS as usize
        });
        hard.count() < MACHINE_REGS as usize
    }

    fn is_easy(&self, reg: VReg) -> bool {
        !reg.is_machine() && self.degree(reg) < MACHINE_REGS as usize
    }

    /// Makes `gone` part of `kept`.
    fn make_one(&mut self, gone: VReg, kept: VReg) {
        let others: Vec<VReg> = self.neighbours(gone).collect();
        for other in others {
            self.edge(kept, other);
            if let Some(set) = self.neighbours.get_mut(other.index()) {
                set.remove(gone);
            }
        }
        let uses = self.use_count(gone);
        if let Some(kept) = self.uses.get_mut(kept.index()) {
            *kept += uses;
        }
        if let Some(alias) = self.alias.get_mut(gone.index()) {
            *alias = kept;
        }
    }
}
