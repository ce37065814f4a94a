//! Spilling: registers that found no colour live on the stack.

use std::collections::{HashMap, HashSet};

use crate::isa::Size;
use crate::lower::cfg::{Base, Cfg, End, Inst, InstKind, Src, VReg};
use ebpf_dsl::recording::LocId;

/// Gives each of `regs` a stack slot. The registers made for loads and stores are added to
/// `short_lived`.
pub(super) fn spill(cfg: &mut Cfg, regs: &[VReg], short_lived: &mut HashSet<VReg>) {
    let slots: HashMap<VReg, i16> = regs.iter().map(|reg| (*reg, cfg.frame_slot(8))).collect();
    for id in cfg.order() {
        let Some(block) = cfg.blocks.get_mut(id.0) else {
            continue;
        };
        let insts = std::mem::take(&mut block.insts);
        let (mut end, loc) = (block.end, block.loc);
        let mut out = Spiller {
            cfg: &mut *cfg,
            slots: &slots,
            short_lived: &mut *short_lived,
            insts: Vec::new(),
        };
        for inst in insts {
            out.inst(inst);
        }
        out.end(&mut end, loc);
        let insts = out.insts;
        if let Some(block) = cfg.blocks.get_mut(id.0) {
            block.insts = insts;
            block.end = end;
        }
    }
}

struct Spiller<'a> {
    cfg: &'a mut Cfg,
    slots: &'a HashMap<VReg, i16>,
    short_lived: &'a mut HashSet<VReg>,
    insts: Vec<Inst>,
}

impl Spiller<'_> {
    fn temporary(&mut self) -> VReg {
        let reg = self.cfg.reg();
        self.short_lived.insert(reg);
        reg
    }

    fn inst(&mut self, mut inst: Inst) {
        let loc = inst.loc;
        let mut loaded = HashMap::new();
        inst.kind.reads(|reg| {
            loaded.entry(reg).or_insert(None::<VReg>);
        });
        self.load_all(&mut loaded, loc);
        inst.kind.uses(|reg| replace(reg, &loaded));
        let dst = inst.kind.dst().filter(|dst| self.slots.contains_key(dst));
        let Some(dst) = dst else {
            self.insts.push(inst);
            return;
        };
        // A two-address operation reads and writes one register.
        let new = match loaded.get(&dst).copied().flatten() {
            Some(reg) => reg,
            None => self.temporary(),
        };
        if let Some(to) = inst.kind.dst_mut() {
            *to = new;
        }
        self.insts.push(inst);
        if let Some(offset) = self.slots.get(&dst).copied() {
            let store = InstKind::Store {
                size: Size::DW,
                base: Base::Frame,
                offset,
                src: Src::Reg(new),
            };
            self.insts.push(Inst { kind: store, loc });
        }
    }

    fn end(&mut self, end: &mut End, loc: LocId) {
        let mut loaded = HashMap::new();
        end.reads(|reg| {
            loaded.entry(reg).or_insert(None::<VReg>);
        });
        self.load_all(&mut loaded, loc);
        end.uses(|reg| replace(reg, &loaded));
    }

    /// Loads those of the registers that are spilled.
    fn load_all(&mut self, loaded: &mut HashMap<VReg, Option<VReg>>, loc: LocId) {
        let mut regs: Vec<VReg> = loaded.keys().copied().collect();
        regs.sort_unstable();
        for reg in regs {
            let Some(offset) = self.slots.get(&reg).copied() else {
                continue;
            };
            let dst = self.temporary();
            let kind = InstKind::Load {
                size: Size::DW,
                dst,
                base: Base::Frame,
                offset,
            };
            self.insts.push(Inst { kind, loc });
            loaded.insert(reg, Some(dst));
        }
    }
}

fn replace(reg: &mut VReg, loaded: &HashMap<VReg, Option<VReg>>) {
    if let Some(Some(new)) = loaded.get(reg) {
        *reg = *new;
    }
}
