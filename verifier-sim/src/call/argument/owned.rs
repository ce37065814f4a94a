//! Arguments that must be given back, and those that a helper takes back.
//!
//! Described in bpf-helpers(7), `bpf_sk_release` and `bpf_ringbuf_submit`; messages as observed on
//! Linux 6.18.
//!
//! Read before: `call/argument/memory.rs`. Read next: `call/callback.rs`.

use super::Arguments;
use crate::codes::Code;
use crate::diag::{Checked, Rejection};
use crate::memory::kptr::check_expected;
use crate::memory::number_help::number_made;
use crate::step::machine::Machine;
use crate::value::reg::RegState;
use ebpf_asm::helper::Arg;
use ebpf_asm::insn::Reg;

/// What to do about a pointer that is given back and was changed.
pub(crate) const AS_ACQUIRED: &str = "keep the pointer as it was acquired, and give that back";

/// Whether the helper takes back what is in the argument. What is in a dynptr is not in the
/// register.
fn is_released(arg: Arg) -> bool {
    matches!(arg, Arg::RingbufRecord | Arg::ReleasedSock | Arg::Kptr)
}

impl Machine<'_, '_> {
    /// Notes the reference that a register holds; and that it is one, and whole, if the helper
    /// takes it back.
    pub(super) fn check_ownership(
        &self,
        reg: Reg,
        arg: Arg,
        value: &RegState,
        found: &mut Arguments<'_>,
    ) -> Checked {
        if arg == Arg::Kptr {
            check_expected(reg, value)?;
        }
        if is_released(arg) {
            self.check_releasable(reg, arg, value)?;
            found.released = Some(value.ref_id);
        }
        match found.owned {
            // The object around a pointer stays the program's.
            _ if value.ref_id == 0 || arg == Arg::KptrPlace => Ok(()),
            None => {
                found.owned = Some(value.ref_id);
                Ok(())
            }
            Some(first) => {
                let (number, second) = (reg.number(), value.ref_id);
                let message =
                    format!("more than one arg with ref_obj_id R{number} {second} {first}");
                Err(Rejection::new(Code::NotReleasable, message)
                    .label("is the second argument that must be given back")
                    .help("copy the bytes of one of them to the stack, and hand over the copy"))
            }
        }
    }

    fn check_releasable(&self, reg: Reg, arg: Arg, value: &RegState) -> Checked {
        let number = reg.number();
        if value.off != 0 {
            let message = format!(
                "R{number} must have zero offset when passed to release func or trusted arg to kfunc"
            );
            return Err(Rejection::new(Code::NotReleasable, message)
                .label("points behind the beginning of what is given back")
                .because(value.origin.made, "the address is made here")
                .help(AS_ACQUIRED));
        }
        if value.constant_var_off() != Some(0) && value.is_pointer() {
            let message = format!(
                "variable {} access var_off={} disallowed",
                value.type_name(),
                value.scalar.tnum
            );
            return Err(Rejection::new(Code::NotReleasable, message)
                .label("points somewhere into what is given back")
                .because(value.origin.made, "the address is made here")
                .help(AS_ACQUIRED));
        }
        if value.ref_id == 0 && value.as_constant() != Some(0) {
            let message = format!("R{number} must be referenced when passed to release function");
            let refused = Rejection::new(Code::NotReleasable, message)
                .label("is not what an acquiring helper returned");
            let refused = number_made(self.env, refused, reg, value);
            return Err(match refused.help {
                Some(_) => refused,
                None => refused.help(match arg {
                    Arg::RingbufRecord => "give back what bpf_ringbuf_reserve gave, as it gave it",
                    Arg::Kptr => {
                        "exchange only what the program owns, as what bpf_task_acquire or \
                         bpf_obj_new gave, or NULL: what was loaded from a map stays the map's"
                    }
                    _ => {
                        "give back only what a call acquired, as bpf_sk_lookup_tcp does: what else \
                         there is (as the context's `sk`) stays with the kernel"
                    }
                }),
            });
        }
        Ok(())
    }
}
