//! What to say when a register that holds nothing is read: what took its contents away, or what
//! never gave it any.
//!
//! Read before: `branch_packet.rs`, `memory/number_help.rs`. Read next: `call/invoke.rs`.

use crate::codes::Code;
use crate::diag::{Place, Rejection};
use crate::memory::number_help::pointer_ended;
use crate::step::machine::Machine;
use crate::value::state::Entered;
use ebpf_asm::insn::Reg;
use ebpf_asm::isa::{AtomicOp, Sem};

impl Machine<'_, '_> {
    /// Why a register cannot be read.
    #[cold]
    pub(super) fn unreadable(&self, reg: Reg) -> Box<Rejection> {
        let number = reg.number();
        let refused = Rejection::new(Code::UninitRegister, format!("R{number} !read_ok"));
        let origin = self.state.reg(reg).origin;
        if origin.made == Place::NONE {
            return refused
                .label(format!("reads R{number}, which was never written"))
                .help_if(self.to_write_first(reg));
        }
        if origin.bound != Place::NONE {
            let refused = refused.label(format!("reads R{number}, which holds nothing any more"));
            return pointer_ended(self.env, refused, reg, self.state.reg(reg));
        }
        if reg == Reg::R0 {
            return refused
                .label("reads R0, and the call before it has no result")
                .because(origin.made, "this call gives nothing back")
                .help("write R0 behind the call");
        }
        refused
            .label(format!("reads R{number}, which a call has taken away"))
            .because(origin.made, "this call leaves nothing in R1 to R5")
            .help("keep the value in R6 to R9, which calls leave alone")
    }

    /// What to do about a register that was never written.
    fn to_write_first(&self, reg: Reg) -> Option<&'static str> {
        let frame = self.state.frame();
        let is_by_kernel = frame.is_called_back() || matches!(frame.entered, Entered::Later { .. });
        let insn = self.env.cfg.insn(self.slot)?;
        Some(match insn.sem() {
            Sem::Atomic {
                op: AtomicOp::Cmpxchg,
                ..
            } if reg == Reg::R0 && reg != insn.dst() => {
                "put into R0 what the memory is compared with: what it holds if it is to be \
                 exchanged"
            }
            Sem::LoadPacket { .. } => "copy the context to R6 first, as in r6 = r1",
            Sem::Call(_) => {
                "set all arguments of the call: the first in R1, the second in R2, and so on"
            }
            _ if is_by_kernel => {
                "what calls it back sets its arguments and no more: put the rest into its context, \
                 or into a map"
            }
            _ if self.state.depth() > 0 => {
                "a function begins with nothing but its arguments, from R1 on: hand over what it \
                 needs"
            }
            _ => {
                "write it on every path that leads here (in C: give the variable a value where it \
                 is declared); a program begins with nothing but the context in R1 and the stack \
                 in R10"
            }
        })
    }
}
