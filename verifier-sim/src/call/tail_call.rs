//! Tail calls: going on in another program; and what leaves a program as they do.
//!
//! From the program itself a tail call ends it. From one of its functions, the program that
//! is gone on in returns to that function's caller: with any number in R0, and the packet
//! perhaps moved. As observed on Linux 6.18, which follows that way first.
//!
//! Read before: `invoke.rs`. Read next: `unanswered.rs`.

use crate::codes::Code;
use crate::diag::{Checked, Rejection};
use crate::flow::cfg::Cfg;
use crate::step::machine::{Flow, Machine};
use crate::value::reg::RegState;
use crate::value::state::Entered;
use ebpf_asm::helper::{Effect, by_id};
use ebpf_asm::insn::{Insn, Reg};
use ebpf_asm::isa::{Callee, KernelVersion, Sem};
use ebpf_asm::object::Map;
use ebpf_asm::program::{Function, Program};

/// Whether the instruction is a tail call.
pub(crate) fn is_tail_call(insn: &Insn) -> bool {
    matches!(insn.sem(), Sem::Call(Callee::Helper))
        && by_id(insn.imm()).is_some_and(|helper| helper.effect() == Effect::LeavesProgram)
}

/// That what leaves the program from within a function, a tail call or a load from a packet
/// that may be too short, is in a function that has a type.
pub(crate) fn check_typed(program: &Program, slot: usize, function: usize, what: &str) -> Checked {
    let typed = |f: &Function| f.slot == function && f.type_id.is_some();
    if function == 0 || program.functions.iter().any(typed) {
        return Ok(());
    }
    let message = format!("{what} is not allowed in subprogs without BTF");
    let mut refused = Rejection::new(Code::TailCall, message)
        .label("leaves the program from within a function")
        .help("do it in the program itself, or give the function a type");
    refused.slot = slot;
    Err(refused)
}

/// The slot of the first tail call of the function with the slots `function`.
pub(crate) fn tail_call_in(cfg: &Cfg<'_>, function: std::ops::Range<usize>) -> Option<usize> {
    let mut slots = function.into_iter();
    slots.find(|&slot| cfg.insn(slot).is_some_and(is_tail_call))
}

/// A callback does not leave the program: the kernel loses its way there (Linux 6.18), and its
/// first words say so.
pub(crate) fn leaves_callback(what: &str) -> Box<Rejection> {
    Rejection::new(Code::TailCall, "verifier bug: callback unexpected regs 1")
        .label(format!("{what} from within a callback"))
        .help("do it in the program itself")
}

/// Since when programs with functions may have tail calls, from the kernel's history.
const BESIDE_FUNCTIONS: KernelVersion = (5, 10);

impl Machine<'_, '_> {
    /// That older kernels take a tail call: in a program without functions.
    pub(crate) fn check_leaves_alone(&self) -> Checked {
        let env = self.env;
        if env.config.since(BESIDE_FUNCTIONS) || env.cfg.functions().len() == 1 {
            return Ok(());
        }
        let message = "tail_calls are not allowed in programs with bpf-to-bpf calls";
        let (major, minor) = BESIDE_FUNCTIONS;
        Err(Rejection::new(Code::TailCall, message)
            .label(format!(
                "programs with functions may have such since Linux {major}.{minor}"
            ))
            .help("let the compiler put the functions in: __always_inline"))
    }

    /// That nothing is left to be given back when the program goes on in another one.
    pub(crate) fn check_leaves(&self) -> Checked {
        let label = "goes on in another program, with something not given back";
        self.check_given_back("tail_call", label, "give it back before")?;
        self.check_closed("tail_call")
    }

    /// A constant index of a tail call matters: the kernel writes the call anew for it.
    pub(crate) fn need_index(&mut self, map: Option<&Map>) {
        let index = self.state.reg(Reg::R3).as_constant();
        if index
            .zip(map)
            .is_some_and(|(index, map)| index < u64::from(map.max_entries))
        {
            self.need(Reg::R3);
        }
    }

    /// Both ways from a tail call that was checked: behind it, for there may be no such
    /// program, and in a function also behind its call.
    pub(crate) fn tail_called(&mut self, next: usize) -> Checked<Flow> {
        if matches!(self.state.frame().entered, Entered::Callback(_)) {
            return Err(leaves_callback("goes on in another program"));
        }
        if self.state.depth() == 0 {
            return Ok(Flow::To(next));
        }
        let stayed = Box::new(self.state.clone());
        let Some(frame) = self.state.pop() else {
            return Ok(Flow::To(next));
        };
        self.end_packet_pointers();
        self.write_reg(Reg::R0, RegState::unknown())?;
        Ok(Flow::Leave {
            caller: frame.return_to,
            stay: next,
            stay_state: stayed,
        })
    }

    /// Both ways from a load from the packet: behind it, and in a function also behind its call,
    /// which 0 comes back from where the packet is too short.
    pub(crate) fn packet_loaded(&mut self, next: usize) -> Checked<Flow> {
        if self.state.depth() == 0 {
            return Ok(Flow::To(next));
        }
        let stayed = Box::new(self.state.clone());
        let Some(frame) = self.state.pop() else {
            return Ok(Flow::To(next));
        };
        self.write_reg(Reg::R0, RegState::constant(0))?;
        Ok(Flow::Leave {
            caller: frame.return_to,
            stay: next,
            stay_state: stayed,
        })
    }
}
