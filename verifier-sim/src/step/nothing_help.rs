//! What to say when a register that holds nothing is read: what took its contents away, or what
//! never gave it any.
//!
//! Read before: `machine.rs`, `memory/number_help.rs`. Read next: `alu.rs`.

use crate::codes::Code;
use crate::diag::{Place, Rejection};
use crate::memory::number_help::pointer_ended;
use crate::step::machine::Machine;
use ebpf_asm::insn::Reg;
use ebpf_asm::isa::Sem;

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
                .help_if(self.to_write_first());
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
    fn to_write_first(&self) -> Option<&'static str> {
        Some(match self.env.cfg.insn(self.slot)?.sem() {
            Sem::LoadPacket { .. } => "copy the context to R6 first, as in r6 = r1",
            Sem::Call(_) => {
                "set all arguments of the call: the first in R1, the second in R2, and so on"
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
