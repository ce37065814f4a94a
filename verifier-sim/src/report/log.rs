//! What the verifier does, in the format of the kernel's own log (`log_level` 2), so that
//! whoever reads those can read these.
//!
//! Observed on Linux 6.18; `Documentation/bpf/verifier.rst`, "Understanding eBPF verifier
//! messages", describes it. What the kernel tells of its own work in between (`mark_precise:`,
//! `Live regs before insn:`) is left out. The figures at the end are those of Linux 6.18, whatever
//! release the verdict is for; `verification time` and `stack depth` are not of this level.
//!
//! Read before: `watch.rs`.

use crate::diag::Rejection;
use crate::kfunc::kernel_call;
use crate::path::explore::Stats;
use crate::report::snapshot::{EnteredBy, FrameSnapshot, Snapshot};
use crate::report::watch::{Event, Touched};
use crate::types::kernel_types::KernelTypes;
use crate::verify::Verdict;
use ebpf_asm::helper;
use ebpf_asm::insn::{Insn, Reg};
use ebpf_asm::isa::{AtomicOp, Callee, Imm64, Operand, Sem, Size};
use ebpf_asm::object::Object;
use ebpf_asm::program::Program;
use std::fmt;

/// The column of the semicolon behind which the state stands.
const STATE_COLUMN: usize = 38;

/// By how much it stands further where the instruction leaves no room.
const TAB: usize = 8;

/// How much room there is between the two.
const GAP: usize = 3;

/// How often reads were marked: since Linux 6.18 reads are not, and its log says 0.
const MARK_READ: u64 = 0;

/// A log that grows with what is told.
#[derive(Debug)]
pub struct KernelLog<'p> {
    object: &'p Object,
    program: &'p Program,
    types: &'p KernelTypes,
    text: String,
    /// The source line that was quoted last.
    quoted: Option<(String, u32)>,
    /// A branch that was begun, and nothing is known of it yet.
    begun: Option<Begun>,
    /// The instruction that was reached, until it is known what it did.
    reached: Option<String>,
}

#[derive(Debug)]
struct Begun {
    from: usize,
    slot: usize,
    state: Snapshot,
    by: By,
}

/// How a branch is begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    /// By going back to a jump: its state is told twice.
    Jump,
    /// By returning from a function.
    Return,
}

impl<'p> KernelLog<'p> {
    /// The log of a program of an object, empty. Functions of the kernel have the numbers of
    /// `types`.
    pub fn new(object: &'p Object, program: &'p Program, types: &'p KernelTypes) -> Self {
        KernelLog {
            object,
            program,
            types,
            text: String::new(),
            quoted: None,
            begun: None,
            reached: None,
        }
    }

    /// The log so far. What was written is not written again.
    pub fn take(&mut self) -> String {
        std::mem::take(&mut self.text)
    }

    /// Adds what happens.
    pub fn add(&mut self, event: &Event<'_>) {
        match event {
            Event::Begin { slot, state } => {
                let all = whole(state);
                self.line(format_args!("{slot}:{all}"));
            }
            Event::Branch { from, slot, state } => {
                let state = (*state).clone();
                let (from, slot) = (*from, *slot);
                let by = By::Jump;
                self.begun = Some(Begun {
                    from,
                    slot,
                    state,
                    by,
                });
            }
            Event::Covered { slot } => match self.begun.take() {
                Some(Begun { from, slot, .. }) => {
                    self.line(format_args!("\nfrom {from} to {slot}: safe"));
                }
                None => self.line(format_args!("{slot}: safe")),
            },
            Event::Reached { slot, insn } => self.reached = Some(self.looked_at(*slot, insn)),
            Event::Step {
                slot,
                touched,
                before,
                goes_on,
                ..
            } => {
                let text = self.reached.take().unwrap_or_default();
                match goes_on {
                    Some((next, after)) if after.frames.len() != before.frames.len() => {
                        self.line(format_args!("{text}"));
                        self.frame_changes(*slot, *next, before, after);
                    }
                    Some((_, after)) => self.step(&text, touched, before, after),
                    None => self.line(format_args!("{text}")),
                }
            }
        }
    }

    /// Ends the log: the refusal, if it is one, and the figures.
    pub fn end(&mut self, verdict: &Verdict) {
        let stats = match verdict {
            Verdict::Accepted(stats, _) => stats,
            Verdict::Rejected(why) => {
                self.refused(why);
                &why.stats
            }
        };
        let Stats {
            processed,
            max_states_per_insn,
            total_states,
            peak_states,
            ..
        } = stats;
        self.line(format_args!(
            "processed {processed} insns (limit 1000000) max_states_per_insn {max_states_per_insn} \
             total_states {total_states} peak_states {peak_states} mark_read {MARK_READ}"
        ));
    }

    /// The instruction that is refused, if it is one, and why.
    fn refused(&mut self, why: &Rejection) {
        if let Some(text) = self.reached.take() {
            self.line(format_args!("{text}"));
        }
        for line in [&why.message].into_iter().chain(&why.more) {
            self.line(format_args!("{line}"));
        }
    }

    /// The instruction as it is looked at, behind what stands before it.
    fn looked_at(&mut self, slot: usize, insn: &Insn) -> String {
        self.begin_branch();
        self.quote(slot);
        format!(
            "{slot}: ({:02x}) {}",
            insn.row().opcode,
            self.spelled(slot, insn)
        )
    }

    /// An instruction as the kernel spells it.
    fn spelled(&self, slot: usize, insn: &Insn) -> String {
        let call = kernel_call(self.object, self.program, self.types, (slot, insn));
        call.unwrap_or_else(|| spelled(insn))
    }

    fn line(&mut self, line: fmt::Arguments<'_>) {
        self.text += &format!("{line}\n");
    }

    /// The branch that was begun goes on.
    fn begin_branch(&mut self) {
        let Some(begun) = self.begun.take() else {
            return;
        };
        let (from, slot, all) = (begun.from, begun.slot, whole(&begun.state));
        self.line(format_args!("\nfrom {from} to {slot}:{all}"));
        if begun.by == By::Jump {
            self.line(format_args!("{slot}:{all}"));
        }
    }

    /// The source line of an instruction, unless it was quoted just before.
    fn quote(&mut self, slot: usize) {
        let program = self.program;
        let Some(span) = program.span(slot).filter(|span| !span.text.is_empty()) else {
            return;
        };
        let place = (span.file.to_string(), span.line);
        if self.quoted.as_ref() != Some(&place) {
            let name = span.file.rsplit('/').next().unwrap_or_default();
            let (text, line) = (span.text.trim(), span.line);
            self.line(format_args!("; {text} @ {name}:{line}"));
            self.quoted = Some(place);
        }
    }

    fn step(&mut self, text: &str, touched: &Touched, before: &Snapshot, after: &Snapshot) {
        let changes = match touched {
            Touched::Regs(touched) => changes(touched, before, after),
            Touched::All => Some(whole(after)),
        };
        match changes {
            None => self.line(format_args!("{text}")),
            Some(changes) => {
                let column = state_column(text.len());
                self.line(format_args!("{text:<column$};{changes}"));
            }
        }
    }

    /// A function is entered or left.
    fn frame_changes(&mut self, slot: usize, next: usize, before: &Snapshot, after: &Snapshot) {
        let (old, new) = (whole(before), whole(after));
        if after.frames.len() > before.frames.len() {
            let caller = of_frame(after, before.frames.len().saturating_sub(1));
            self.line(format_args!(
                "caller:\n{caller}\ncallee:\n{new}\n{next}:{new}"
            ));
        } else {
            self.line(format_args!(
                "returning from callee:\n{old}\nto caller at {next}:\n{new}"
            ));
            self.begun = Some(Begun {
                from: slot,
                slot: next,
                state: after.clone(),
                by: By::Return,
            });
        }
    }
}

/// The column of the semicolon behind an instruction of so many letters, as observed.
fn state_column(letters: usize) -> usize {
    let missing = (letters + GAP).saturating_sub(STATE_COLUMN);
    STATE_COLUMN + missing.next_multiple_of(TAB)
}

/// The whole state of the innermost function, each part behind a space.
fn whole(state: &Snapshot) -> String {
    of_frame(state, state.frames.len().saturating_sub(1))
}

/// The whole state of the function at a depth.
fn of_frame(state: &Snapshot, depth: usize) -> String {
    let frame = match depth {
        0 => String::new(),
        _ => format!(" frame{depth}:"),
    };
    let Some(FrameSnapshot {
        regs,
        stack,
        entered,
    }) = state.frames.get(depth)
    else {
        return frame;
    };
    let regs = regs
        .iter()
        .map(|(number, holds)| format!(" R{number}={holds}"));
    let stack = stack.iter().map(|(off, holds)| format!(" fp{off}={holds}"));
    let references = references(state);
    let held: String = regs.chain(stack).chain(references).collect();
    frame + &held + mark(*entered)
}

/// How the state of a function ends, by who entered it.
fn mark(entered: EnteredBy) -> &'static str {
    match entered {
        EnteredBy::Program => "",
        EnteredBy::Callback => " cb",
        EnteredBy::Later => " async_cb",
    }
}

/// What is to be given back. The lock of a value that is there once has no number, and is not shown;
/// where it comes first, nothing is.
fn references(state: &Snapshot) -> Option<String> {
    let is_shown = state.references.first().is_some_and(|first| *first != 0);
    let ids = state.references.iter().filter(|id| **id != 0);
    let ids: Vec<String> = ids.map(u32::to_string).collect();
    is_shown.then(|| format!(" refs={}", ids.join(",")))
}

/// The registers that an instruction touched, also if they hold nothing now, and the slots of the
/// stack that it changed; nothing if there is neither.
fn changes(touched: &[Reg], before: &Snapshot, after: &Snapshot) -> Option<String> {
    let (old, new) = before.frames.last().zip(after.frames.last())?;
    let regs = new
        .regs
        .iter()
        .filter(|(number, _)| touched.iter().any(|reg| reg.index() == *number))
        .map(|(number, holds)| format!(" R{number}={holds}"));
    let stack = new
        .stack
        .iter()
        .filter(|slot| !old.stack.contains(slot))
        .map(|(off, holds)| format!(" fp{off}={holds}"));
    let frame = match after.frames.len() {
        0 | 1 => String::new(),
        frames => format!(" frame{}:", frames - 1),
    };
    let changed: String = regs.chain(stack).collect();
    let is_shown = !touched.is_empty() || !changed.is_empty();
    let references = references(after).unwrap_or_default();
    is_shown.then(|| frame + &changed + &references + mark(new.entered))
}

/// An instruction as the kernel spells it, where that is not our own spelling.
fn spelled(insn: &Insn) -> String {
    let (ours, imm) = (insn.to_string(), insn.imm());
    let ours = ours
        .replace("goto ", "goto pc")
        .replace("gotol ", "gotol pc");
    match insn.sem() {
        Sem::Jump {
            operand: Operand::Imm,
            ..
        } => ours.replace(&format!(" {imm} goto"), &format!(" {imm:#x} goto")),
        Sem::Call(Callee::Helper) => match helper::by_id(imm) {
            Some(_) => format!("{ours}#{imm}"),
            None if imm == 0 => "call bpf_unspec#0".to_owned(),
            None => format!("call unknown#{imm}"),
        },
        Sem::LoadImm64(what) => {
            let dst = insn.dst();
            // An address is 0 to whom the kernel does not tell addresses.
            let number = match what {
                Imm64::Value => insn.imm64(),
                Imm64::Code => imm as u64,
                _ => 0,
            };
            format!("{dst} = {number:#x}")
        }
        Sem::Load { .. } | Sem::LoadSx { .. } | Sem::Store { .. } => {
            ours.replace(" + ", " +").replace(" - ", " -")
        }
        Sem::LoadPacket { .. } => ours.replace(" - ", " + -"),
        Sem::Atomic { op, size } => atomic(insn, op, size),
        Sem::LoadAcquire { size } => {
            format!(
                "{} = load_acquire({})",
                insn.dst(),
                place(insn.src(), insn, size)
            )
        }
        Sem::StoreRelease { size } => {
            format!(
                "store_release({}, {})",
                place(insn.dst(), insn, size),
                insn.src()
            )
        }
        _ => ours,
    }
}

/// An atomic operation.
fn atomic(insn: &Insn, op: AtomicOp, size: Size) -> String {
    let (src, place) = (insn.src(), place(insn.dst(), insn, size));
    let plain = |sign: char| format!("lock *{place} {sign}= {src}");
    let bits = if size == Size::DW { "64" } else { "" };
    let fetching = |name: &str| format!("{src} = atomic{bits}_{name}({place}, {src})");
    match op {
        AtomicOp::Add => plain('+'),
        AtomicOp::Or => plain('|'),
        AtomicOp::And => plain('&'),
        AtomicOp::Xor => plain('^'),
        AtomicOp::FetchAdd => fetching("fetch_add"),
        AtomicOp::FetchOr => fetching("fetch_or"),
        AtomicOp::FetchAnd => fetching("fetch_and"),
        AtomicOp::FetchXor => fetching("fetch_xor"),
        AtomicOp::Xchg => fetching("xchg"),
        AtomicOp::Cmpxchg => format!("r0 = atomic{bits}_cmpxchg({place}, r0, {src})"),
    }
}

/// Where an instruction accesses memory, as an address with its type: `(u32 *)(r10 -8)`.
fn place(base: Reg, insn: &Insn, size: Size) -> String {
    let bits = 8 * size.bytes();
    format!("(u{bits} *)({base} {:+})", insn.offset())
}
