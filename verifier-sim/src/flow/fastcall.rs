//! Calls that leave R1 to R5 alone, and the spills around them that the kernel takes out.
//!
//! A compiler that is told of such a function (`bpf_fastcall`) may still have to spill a register
//! around a call, since older kernels overwrite it. So it stores to slots that it uses for
//! nothing else, the lowest of the function, right before the call and loads from them right
//! behind it, in the opposite order. The kernel knows the pattern, takes stores and loads out, and
//! gives the function a frame that ends above these slots.
//!
//! Described in clang's attribute reference, `bpf_fastcall`. What of it the kernel knows was
//! observed on Linux 6.12 and 6.18 (`xlated_prog_insns`, and the stack depth in the log):
//!
//! - the slots begin with the lowest that the function spills to anywhere (`stx` of 8 bytes), also
//!   where no path leads;
//! - around other calls it is the same pattern, but then the frame stays as large as it is;
//! - if an instruction outside of patterns accesses what is below the end of the slots of one of
//!   them, nothing is taken out of the function; memory that a call fills counts, memory that
//!   a call reads does not.
//!
//! Read before: `env.rs`. Read next: `depth.rs`.

use crate::codes::Code;
use crate::env::Env;
use crate::flow::registers::RegSet;
use crate::value::stack::SLOT_SIZE;
use ebpf_asm::btf::TypeId;
use ebpf_asm::helper::Ret;
use ebpf_asm::insn::{Insn, Reg};
use ebpf_asm::isa::{Callee, KernelVersion, Operand, Sem, Size};

/// Since when the kernel knows the pattern: observed on Linux 6.12, and not on 6.1; since when,
/// from its history.
const SINCE: KernelVersion = (6, 12);

/// The patterns of a program.
#[derive(Debug, Default)]
pub(crate) struct Fastcalls {
    /// For each function that has some, ascending.
    functions: Vec<Patterns>,
}

/// The patterns of one function.
#[derive(Debug)]
struct Patterns {
    /// The function, by its first slot.
    function: usize,
    /// Where the slots of one of them end that has the fewest, from R10.
    end: i64,
    /// Whether calls of other functions are among them.
    others: bool,
    /// The stores and the loads, by their slots, ascending.
    spills: Vec<usize>,
    /// Those of them that are around calls which leave registers alone.
    taken_out: Vec<usize>,
}

/// A call, as far as it matters here.
#[derive(Clone, Copy)]
struct Call {
    /// Which registers could be kept around it.
    spared: RegSet,
    /// Whether the kernel puts instructions in its place that leave them alone.
    fast: bool,
}

impl Fastcalls {
    /// The patterns of a program that is about to be verified.
    pub(crate) fn find(env: &Env<'_>) -> Fastcalls {
        if !env.config.since(SINCE) || !env.config.may_use_bpf() {
            return Fastcalls::default();
        }
        let functions = env.cfg.functions().iter();
        let found = functions.filter_map(|&function| Patterns::find(env, function));
        Fastcalls {
            functions: found.collect(),
        }
    }

    fn of(&self, function: usize) -> Option<&Patterns> {
        let at = |patterns: &Patterns| patterns.function;
        let found = self.functions.binary_search_by_key(&function, at);
        found.ok().and_then(|index| self.functions.get(index))
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.functions.is_empty()
    }

    /// Whether an access of the instruction at `slot` to the frame of a function, from `off` on,
    /// is one that patterns leave no room for.
    pub(crate) fn are_broken_by(&self, function: usize, slot: usize, off: i64) -> bool {
        self.of(function).is_some_and(|patterns| {
            off < patterns.end && patterns.spills.binary_search(&slot).is_err()
        })
    }

    /// What is left of them if those of the `broken` functions are none.
    pub(crate) fn without(&self, broken: &[usize]) -> Kept<'_> {
        let kept = |patterns: &&Patterns| !broken.contains(&patterns.function);
        Kept(self.functions.iter().filter(kept).collect())
    }
}

/// The patterns that are left when all paths were followed.
pub(crate) struct Kept<'f>(Vec<&'f Patterns>);

impl Kept<'_> {
    /// How deep the frames reach from which something is taken out, in bytes, of functions by
    /// their first slots.
    pub(crate) fn depths(&self) -> impl Iterator<Item = (usize, usize)> {
        let smaller = |patterns: &&&Patterns| !patterns.others && !patterns.taken_out.is_empty();
        let depth = |end: i64| usize::try_from(-end).unwrap_or(0);
        let functions = self.0.iter().filter(smaller);
        functions.map(move |patterns| (patterns.function, depth(patterns.end)))
    }

    /// Whether an instruction is taken out.
    pub(crate) fn take_out(&self, slot: usize) -> bool {
        let has = |patterns: &&Patterns| patterns.taken_out.binary_search(&slot).is_ok();
        self.0.iter().any(has)
    }
}

impl Patterns {
    /// The patterns of a function, if there is something to take out.
    fn find(env: &Env<'_>, function: usize) -> Option<Patterns> {
        let slots = env.cfg.function_range(function);
        let calls = env.cfg.calls_in(slots.clone());
        let calls = calls.filter_map(|(slot, insn)| Some((slot, called(env, slot, insn)?)));
        let calls: Vec<(usize, Call)> = calls.collect();
        if !calls.iter().any(|(_, call)| call.fast) {
            return None;
        }
        let spills = slots.filter_map(|slot| spill(env.cfg.insn(slot)?));
        let lowest = spills.map(|(_, off)| off).min()?.min(0);
        let mut found = Patterns {
            function,
            end: 0,
            others: false,
            spills: Vec::new(),
            taken_out: Vec::new(),
        };
        for (slot, call) in calls {
            found.add(env, slot, call, lowest);
        }
        found.spills.sort_unstable();
        found.taken_out.sort_unstable();
        (!found.taken_out.is_empty()).then_some(found)
    }

    /// Adds the stores and loads around a call, the innermost being those of the lowest slot.
    fn add(&mut self, env: &Env<'_>, slot: usize, call: Call, lowest: i64) {
        let mut off = lowest;
        let mut spared = call.spared;
        for distance in 1.. {
            let around = slot.checked_sub(distance).zip(slot.checked_add(distance));
            let Some((before, behind)) = around else {
                break;
            };
            let spilled = env.cfg.insn(before).and_then(spill);
            let filled = env.cfg.insn(behind).and_then(fill);
            let Some((reg, _)) = spilled.filter(|&(reg, at)| at == off && spared.has(reg)) else {
                break;
            };
            if filled != spilled {
                break;
            }
            spared = spared.without(RegSet::of(reg));
            self.spills.extend([before, behind]);
            if call.fast {
                self.taken_out.extend([before, behind]);
            }
            off += SLOT_SIZE;
        }
        if off > lowest {
            self.end = self.end.min(off);
            self.others |= !call.fast;
        }
    }
}

/// The register that an instruction spills to its own frame, and where to.
fn spill(insn: &Insn) -> Option<(Reg, i64)> {
    let spills = Sem::Store {
        size: Size::DW,
        operand: Operand::Reg,
    };
    let is_spill = insn.sem() == spills && insn.dst() == Reg::R10;
    is_spill.then(|| (insn.src(), insn.offset().into()))
}

/// The register that an instruction fills from its own frame, and where from.
fn fill(insn: &Insn) -> Option<(Reg, i64)> {
    let is_fill = insn.sem() == Sem::Load { size: Size::DW } && insn.src() == Reg::R10;
    is_fill.then(|| (insn.dst(), insn.offset().into()))
}

/// The call of a function of the kernel that stands in a slot; `None` where there is none, or
/// programs of the type have no such function.
fn called(env: &Env<'_>, slot: usize, insn: &Insn) -> Option<Call> {
    let (takes, returns, fast) = match insn.sem() {
        Sem::Call(Callee::Helper) => {
            let (helper, proto) = env.helper(insn.imm())?;
            let fast = helper.fastcall.has(env.program.prog_type);
            (proto.args.len(), proto.ret != Ret::Void, fast)
        }
        Sem::Call(Callee::Kfunc) => match env.kfunc(slot, insn) {
            Ok(kfunc) => {
                let returns = kfunc.ret != TypeId::VOID;
                (kfunc.params.len(), returns, kfunc.is_fastcall())
            }
            // Of one that is not known the most is taken to be a pattern, which keeps the frame.
            Err(why) if why.code == Code::NotModelled => (0, false, false),
            Err(_) => return None,
        },
        _ => return None,
    };
    let result = match returns {
        true => RegSet::of(Reg::R0),
        false => RegSet::default(),
    };
    let overwritten = RegSet::LOST_IN_CALLS;
    let spared = overwritten.without(RegSet::arguments(takes).with(result));
    Some(Call { spared, fast })
}
