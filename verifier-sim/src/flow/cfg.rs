//! The control flow graph, and what is refused before any instruction is followed: jumps
//! that leave their function, code that nothing reaches, jumps into wide instructions,
//! backward jumps where loops are not allowed.
//!
//! Described in the kernel's `Documentation/bpf/verifier.rst`, first section.
//!
//! Read before: `diag.rs`, `registers.rs`. Read next: `edges.rs`.

use crate::call::tail_call::{check_typed, is_tail_call};
use crate::codes::Code;
use crate::config::Config;
use crate::diag::{Checked, Place, Rejection};
use crate::flow::registers::Uses;
use crate::load::instead::{Newer, form_of, instead};
use ebpf_asm::blocks::Flow;
use ebpf_asm::helper::{Helper, by_id};
use ebpf_asm::insn::Insn;
use ebpf_asm::isa::{Callee, ISA, Imm64, KernelVersion, Row, Sem};
use ebpf_asm::program::Program;
use std::collections::BTreeSet;
use std::ops::Range;

/// The most instructions of a program, in slots; `BPF_MAXINSNS`, the most of one loaded without
/// `CAP_BPF`, and of any by older kernels: from the kernel's history.
const MAX_SLOTS: usize = 1_000_000;
const MAXINSNS: usize = 4096;
const LONGER: KernelVersion = (5, 2);

/// The most functions of a program, with the program itself: observed on Linux 6.18.
const MAX_FUNCTIONS: usize = 256;

/// Since when what stands in an instruction beside its opcode is looked at where it is followed, and
/// nowhere else: observed on Linux 6.1.
const LOOKED_AT_LATER: KernelVersion = (6, 1);

/// Since when a loop may also close where execution goes on from one instruction to the next, as
/// where it is entered in its midst: observed on Linux 6.1 and 6.12, and from the kernel's history.
const LOOPS_BY_ANY_EDGE: KernelVersion = (6, 8);

/// Which edges may lead back to where execution came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Loops {
    None,
    ByJump,
    Any,
}

/// Where execution goes from each instruction.
#[derive(Debug)]
pub(crate) struct Cfg<'a> {
    program: &'a Program,
    /// The instruction that begins in each slot; `None` for second slots of wide ones.
    insns: Vec<Option<&'a Insn>>,
    /// Where execution goes from each slot, as [`Cfg::successors`] says.
    successors: Vec<[Place; 2]>,
    /// What the instruction that begins in each slot does with registers.
    uses: Vec<Uses>,
    /// The instructions that may go on elsewhere than behind them, ascending.
    jumps: Vec<usize>,
    /// The instructions that call something, ascending.
    calls: Vec<usize>,
    /// The instructions that call a function of the program or take its address, ascending, and
    /// where it begins.
    named: Vec<(usize, usize)>,
    /// The instructions that the kernel does not have, and refuses where it follows them, ascending.
    newer: Vec<usize>,
    /// The first slots of the functions, ascending.
    functions: Vec<usize>,
    /// The first slots of the functions that are verified on their own.
    globals: Vec<usize>,
    /// The first slot of the function that is called when the program throws, if there is one.
    exception: Option<usize>,
}

impl<'a> Cfg<'a> {
    /// The graph of a program that passes the checks of single instructions; calls of the functions
    /// that begin at the slots `globals` are not followed. The one at `exception` is called by the
    /// kernel.
    pub(crate) fn new(
        program: &'a Program,
        config: &Config,
        globals: Vec<usize>,
        exception: Option<usize>,
    ) -> Checked<Cfg<'a>> {
        let slots = program.slot_count();
        let mut cfg = Cfg {
            program,
            insns: Vec::with_capacity(slots),
            successors: Vec::with_capacity(slots),
            uses: Vec::with_capacity(slots),
            jumps: Vec::new(),
            calls: Vec::new(),
            named: Vec::new(),
            newer: Vec::new(),
            functions: vec![0],
            globals,
            exception,
        };
        let mut named = Vec::new();
        for (slot, insn) in program.slots() {
            if names_function(insn) {
                named.push((slot, insn));
            }
            match insn.sem() {
                Sem::Call(_) => cfg.calls.push(slot),
                sem if is_jump(sem) => cfg.jumps.push(slot),
                _ => {}
            }
            if !has(config, insn.row()) {
                cfg.newer.push(slot);
            }
            cfg.insns.push(Some(insn));
            cfg.successors.push(edges(program, slot, insn));
            cfg.uses.push(Uses::of(insn));
            if insn.slots() == 2 {
                cfg.insns.push(None);
                cfg.successors.push([Place::at(slot + 2), Place::NONE]);
                cfg.uses.push(Uses::NONE);
            }
        }
        cfg.check_length(config)?;
        cfg.find_functions(&named)?;
        cfg.check_jumps()?;
        cfg.check_versions(config)?;
        Ok(cfg)
    }

    /// The number of slots.
    pub(crate) fn slot_count(&self) -> usize {
        self.insns.len()
    }

    /// The instruction that begins in a slot.
    pub(crate) fn insn(&self, slot: usize) -> Option<&'a Insn> {
        self.insns.get(slot).copied().flatten()
    }

    /// The helper that the instruction in a slot calls, if it calls one that there is.
    pub(crate) fn helper(&self, slot: usize) -> Option<&'static Helper> {
        let insn = self.insn(slot)?;
        match insn.sem() {
            Sem::Call(Callee::Helper) => by_id(insn.imm()),
            _ => None,
        }
    }

    /// The first slots of the functions, ascending.
    pub(crate) fn functions(&self) -> &[usize] {
        &self.functions
    }

    /// Where a jump, call or code address of the instruction at `slot` leads.
    pub(crate) fn target(&self, slot: usize, insn: &Insn) -> Option<usize> {
        self.program.target(slot, insn)
    }

    /// Where execution goes from `slot` within its function: on, and by a jump.
    pub(crate) fn successors(&self, slot: usize) -> [Option<usize>; 2] {
        let ways = self.successors.get(slot).copied();
        ways.unwrap_or([Place::NONE; 2]).map(Place::slot)
    }

    /// What the instruction at `slot` does with registers.
    pub(crate) fn uses(&self, slot: usize) -> Uses {
        self.uses.get(slot).copied().unwrap_or(Uses::NONE)
    }

    /// The instructions that may go on elsewhere than behind them, ascending.
    pub(crate) fn jumps(&self) -> impl Iterator<Item = (usize, &'a Insn)> {
        self.those(&self.jumps)
    }

    /// Those that call something.
    pub(crate) fn calls(&self) -> impl Iterator<Item = (usize, &'a Insn)> {
        self.those(&self.calls)
    }

    /// Those of them in a function with these slots.
    pub(crate) fn calls_in(&self, slots: Range<usize>) -> impl Iterator<Item = (usize, &'a Insn)> {
        let at = |end| self.calls.partition_point(|&slot| slot < end);
        let calls = self.calls.get(at(slots.start)..at(slots.end));
        self.those(calls.unwrap_or_default())
    }

    /// Those that call a function of the program or take its address, and where it begins.
    pub(crate) fn names(&self) -> impl Iterator<Item = (usize, &'a Insn, usize)> {
        let named = self.named.iter();
        named.filter_map(|&(slot, to)| Some((slot, self.insn(slot)?, to)))
    }

    fn those(&self, slots: &[usize]) -> impl Iterator<Item = (usize, &'a Insn)> {
        let slots = slots.iter();
        slots.filter_map(|&slot| Some((slot, self.insn(slot)?)))
    }

    fn check_length(&self, config: &Config) -> Checked {
        let most = match config.may_use_bpf() && config.since(LONGER) {
            true => MAX_SLOTS,
            false => MAXINSNS,
        };
        let count = self.insns.len();
        if (1..=most).contains(&count) {
            return Ok(());
        }
        let message = format!("program has {count} instructions, at least 1 and at most {most}");
        Err(Rejection::new(Code::Length, message)
            .label("the kernel answers with E2BIG")
            .help("split the program by tail calls (bpf_tail_call)"))
    }

    /// Functions begin where the instructions lead that name them.
    fn find_functions(&mut self, named: &[(usize, &Insn)]) -> Checked {
        for &(slot, insn) in named {
            match self
                .target(slot, insn)
                .filter(|&to| self.insn(to).is_some())
            {
                Some(target) => {
                    self.named.push((slot, target));
                    self.functions.push(target);
                }
                None => {
                    let mut refused =
                        Rejection::new(Code::JumpOutOfRange, "call to invalid destination")
                            .label("calls what is no instruction of the program")
                            .help("call the first instruction of a function");
                    refused.slot = slot;
                    return Err(refused);
                }
            }
        }
        self.functions.extend(self.exception);
        self.functions.sort_unstable();
        self.functions.dedup();
        match self.functions.len() > MAX_FUNCTIONS {
            true => Err(too_many_functions(self.functions.len())),
            false => Ok(()),
        }
    }

    /// The slots of the function that `slot` belongs to.
    pub(crate) fn function_range(&self, slot: usize) -> Range<usize> {
        let after = self.functions.partition_point(|&start| start <= slot);
        let start = after.checked_sub(1).and_then(|at| self.functions.get(at));
        let end = self.functions.get(after).copied();
        start.copied().unwrap_or(0)..end.unwrap_or(self.insns.len())
    }

    fn check_jumps(&self) -> Checked {
        let mut function = self.function_range(0);
        for (slot, insn) in self.program.slots() {
            if !function.contains(&slot) {
                function = self.function_range(slot);
            }
            let sem = insn.sem();
            match sem {
                Sem::Jump { .. } | Sem::Ja | Sem::Gotol | Sem::MayGoto => {
                    self.check_jump(slot, insn, &function)?;
                }
                Sem::Call(_) if is_tail_call(insn) => {
                    check_typed(self.program, slot, function.start, "tail_call")?;
                }
                Sem::LoadPacket { .. } => {
                    check_typed(self.program, slot, function.start, "LD_ABS")?;
                }
                _ => {}
            }
            let is_last = slot + insn.slots() == function.end;
            if is_last && !matches!(sem, Sem::Exit | Sem::Ja | Sem::Gotol) {
                let mut refused = Rejection::new(Code::FallsOff, "last insn is not an exit or jmp")
                    .label("the function's last instruction goes on behind it")
                    .help("end the function with exit");
                refused.slot = slot;
                return Err(refused);
            }
        }
        Ok(())
    }

    /// That the kernel has all opcodes, those that nothing reaches among them, and where it looks at
    /// all of an instruction before it follows any, all instructions.
    fn check_versions(&self, config: &Config) -> Checked {
        for (slot, insn) in self.those(&self.newer) {
            let row = insn.row();
            let is_later = row.since.is_some() && knows_opcode(config, row);
            if !is_later || !config.since(LOOKED_AT_LATER) {
                let mut refused = too_old(config, row);
                refused.slot = slot;
                return Err(refused);
            }
        }
        Ok(())
    }

    /// That the kernel has the instruction, which is about to be followed.
    pub(crate) fn check_version(&self, slot: usize, config: &Config) -> Checked {
        match self.newer.binary_search(&slot).ok().and(self.insn(slot)) {
            Some(insn) => Err(too_old(config, insn.row())),
            None => Ok(()),
        }
    }

    /// That a jump stays in its function.
    fn check_jump(&self, slot: usize, insn: &Insn, function: &Range<usize>) -> Checked {
        let inside = |target: usize| function.contains(&target);
        if self.target(slot, insn).is_some_and(inside) {
            return Ok(());
        }
        let target = slot as i64 + 1 + i64::from(insn.distance().unwrap_or(0));
        let (first, last) = (function.start, function.end.saturating_sub(1));
        let message = format!("jump out of range from insn {slot} to {target}");
        let mut refused = Rejection::new(Code::JumpOutOfRange, message)
            .label(format!(
                "goes to slot {target}; the function has the slots {first} to {last}"
            ))
            .help(
                "jump to an instruction of the same function; a distance counts from the next one",
            );
        refused.slot = slot;
        Err(refused)
    }

    /// The first slot of the program's own function that the instruction at `slot` calls.
    pub(crate) fn callee(&self, slot: usize) -> Option<usize> {
        let insn = self.insn(slot)?;
        match insn.sem() {
            Sem::Call(Callee::Local) => self.target(slot, insn),
            _ => None,
        }
    }

    /// The first slot of the program's own function that the instruction at `slot` calls or
    /// takes the address of.
    pub(crate) fn named(&self, slot: usize) -> Option<usize> {
        let at = self.named.binary_search_by_key(&slot, |(at, _)| *at);
        at.ok().and_then(|at| self.named.get(at)).map(|(_, to)| *to)
    }

    /// These functions, by their first slots, and all that are called in them, or whose address
    /// is taken there.
    pub(crate) fn reached_from(&self, mut functions: Vec<usize>) -> Vec<usize> {
        let mut next = 0;
        while let Some(&function) = functions.get(next) {
            for slot in self.function_range(function) {
                if let Some(callee) = self.named(slot).filter(|to| !functions.contains(to)) {
                    functions.push(callee);
                }
            }
            next += 1;
        }
        functions
    }

    /// Whether the call at `slot` goes on in the function that it calls: not if that is
    /// verified on its own.
    pub(crate) fn is_followed(&self, slot: usize) -> bool {
        self.callee(slot)
            .is_some_and(|callee| !self.globals.contains(&callee))
    }

    /// Follows every edge once, depth first, and refuses loops where there may be none, and what is
    /// not reached. Gives the slots that execution comes back to: the heads of loops. The kernel looks
    /// at the types of functions and at the maps before it does so (Linux 6.18).
    pub(crate) fn walk(&self, config: &Config) -> Checked<BTreeSet<usize>> {
        let allowed = match config.may_use_bpf() {
            true if config.since(LOOPS_BY_ANY_EDGE) => Loops::Any,
            true if config.since((5, 3)) => Loops::ByJump,
            _ => Loops::None,
        };
        let mut seen = vec![Seen::No; self.insns.len()];
        let mut heads = BTreeSet::new();
        let mut called: Vec<usize> = self.exception.into_iter().chain([0]).collect();
        while let Some(function) = called.pop() {
            if seen.get(function) == Some(&Seen::No) {
                called.extend(self.walk_from(function, allowed, &mut seen, &mut heads)?);
            }
        }
        self.check_reached(&seen)?;
        Ok(heads)
    }

    /// Follows a function from its first slot on, and notes the heads of its loops; gives the
    /// functions that it calls.
    fn walk_from(
        &self,
        start: usize,
        allowed: Loops,
        seen: &mut [Seen],
        heads: &mut BTreeSet<usize>,
    ) -> Checked<Vec<usize>> {
        let mut called = Vec::new();
        let mut path = Vec::new();
        self.step(&mut path, seen, start);
        while let Some((from, [on, jump])) = path.last_mut() {
            let from = *from;
            let Some(to) = on.take().or_else(|| jump.take()) else {
                mark(seen, from, Seen::Done);
                called.extend(self.named(from));
                path.pop();
                continue;
            };
            match seen.get(to) {
                Some(Seen::No) => self.step(&mut path, seen, to),
                Some(Seen::OnPath) if !self.may_close(from, allowed) => {
                    return Err(back_edge(from, to));
                }
                Some(Seen::OnPath) => {
                    heads.insert(to);
                }
                Some(Seen::Done) | None => {}
            }
        }
        Ok(called)
    }

    /// Whether an edge from a slot may lead back.
    fn may_close(&self, from: usize, allowed: Loops) -> bool {
        match allowed {
            Loops::None => false,
            Loops::ByJump => self.insn(from).is_some_and(|insn| is_jump(insn.sem())),
            Loops::Any => true,
        }
    }

    /// Makes a slot the last on the path.
    fn step(&self, path: &mut Vec<Step>, seen: &mut [Seen], slot: usize) {
        let ways = self.successors.get(slot).copied();
        let ways = ways.unwrap_or([Place::NONE; 2]);
        mark(seen, slot, Seen::OnPath);
        path.push((slot, ways));
    }

    /// That every instruction is reached, and no second slot of one.
    fn check_reached(&self, seen: &[Seen]) -> Checked {
        let mut all = self.insns.iter().zip(seen);
        if all.all(|(insn, seen)| insn.is_some() == (*seen != Seen::No)) {
            return Ok(());
        }
        for (slot, insn) in self.program.slots() {
            let refused = if seen.get(slot) == Some(&Seen::No) {
                Rejection::new(Code::Unreachable, format!("unreachable insn {slot}"))
                    .label("no path leads here")
                    .help("remove it, or jump to it")
            } else if insn.slots() == 2 && seen.get(slot + 1) != Some(&Seen::No) {
                let message = format!("jump into the middle of ldimm64 insn {slot}");
                self.jumps_to(slot + 1)
                    .into_iter()
                    .fold(
                        Rejection::new(Code::JumpIntoWide, message),
                        |refused, from| {
                            refused.because(Place::at(from), "this jump goes to its second slot")
                        },
                    )
                    .label("takes two slots, and the second is no instruction")
                    .help("jump to its first slot, or to what is behind it: 16-byte loads count twice")
            } else {
                continue;
            };
            let mut refused = refused;
            refused.slot = slot;
            return Err(refused);
        }
        Ok(())
    }

    fn jumps_to(&self, slot: usize) -> Vec<usize> {
        let jumps = self.program.slots();
        let to_slot = jumps.filter(|(at, insn)| self.target(*at, insn) == Some(slot));
        to_slot.map(|(at, _)| at).collect()
    }
}

/// Where execution goes from the instruction at `slot`: on, and by a jump.
fn edges(program: &Program, slot: usize, insn: &Insn) -> [Place; 2] {
    let next = || Place::at(slot + insn.slots());
    let target = || program.target(slot, insn).map_or(Place::NONE, Place::at);
    match Flow::of(insn.sem()) {
        // Indirect jumps are refused where they are come to.
        Flow::On | Flow::Unknown => [next(), Place::NONE],
        Flow::Jump => [Place::NONE, target()],
        Flow::Branch => [next(), target()],
        Flow::Exit => [Place::NONE; 2],
    }
}

/// Whether an instruction calls a function of the program, or takes its address.
fn names_function(insn: &Insn) -> bool {
    matches!(
        insn.sem(),
        Sem::Call(Callee::Local) | Sem::LoadImm64(Imm64::Code)
    )
}

/// Whether the kernel has an instruction.
fn has(config: &Config, row: &Row) -> bool {
    row.since.is_some_and(|since| config.since(since))
}

/// Whether the kernel has any instruction of that opcode.
fn knows_opcode(config: &Config, row: &Row) -> bool {
    let same = |other: &&Row| other.opcode == row.opcode;
    ISA.iter().filter(same).any(|other| has(config, other))
}

/// What is said of an instruction that the kernel does not have. Of an opcode that means something
/// to it the kernel says other words each time.
fn too_old(config: &Config, row: &Row) -> Box<Rejection> {
    let label = match row.since {
        Some((major, minor)) => format!("{} came with Linux {major}.{minor}", said(row)),
        None => format!("no Linux release has {}", said(row)),
    };
    let message = match knows_opcode(config, row) {
        true => format!("the kernel is too old for {}", said(row)),
        false => format!("unknown opcode {:02x}", row.opcode),
    };
    Rejection::new(Code::KernelTooOld, message)
        .label(label)
        .help_if(instead(Newer::Insn(&form_of(row)), config.kernel))
}

/// What a row of the instruction table is, as messages call it.
fn said(row: &Row) -> String {
    match row.sem {
        Sem::Call(Callee::Kfunc) => "calls of kernel functions".to_owned(),
        Sem::Call(Callee::Local) => "calls of the program's own functions".to_owned(),
        _ => row.form(),
    }
}

fn is_jump(sem: Sem) -> bool {
    matches!(sem, Sem::Jump { .. } | Sem::Ja | Sem::Gotol | Sem::MayGoto)
}

fn too_many_functions(count: usize) -> Box<Rejection> {
    Rejection::new(Code::Length, "too many subprograms")
        .label(format!("{count} functions, and at most {MAX_FUNCTIONS}"))
        .help("inline some of them, or split the program and use tail calls")
}

fn back_edge(from: usize, to: usize) -> Box<Rejection> {
    let message = format!("back-edge from insn {from} to {to}");
    let mut refused = Rejection::new(Code::BackEdge, message)
        .label("goes back, and this kernel or loader allows no loops")
        .help(
            "unroll the loop (in C: #pragma unroll); loops with a bound are allowed since Linux 5.3, \
             with CAP_BPF",
        )
        .because(Place::at(to), "to here");
    refused.slot = from;
    refused
}

/// A slot on the path of the walk, and the ways from there that are still to be followed.
type Step = (usize, [Place; 2]);

/// How far the walk has come with a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    No,
    OnPath,
    Done,
}

fn mark(seen: &mut [Seen], slot: usize, as_: Seen) {
    if let Some(entry) = seen.get_mut(slot) {
        *entry = as_;
    }
}
