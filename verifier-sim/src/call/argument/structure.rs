//! Arguments that are structures of the kernel.
//!
//! A pointer to a structure will do where its first member is wanted, or what lies where the
//! pointer points.
//!
//! Described in bpf-helpers(7); messages as observed on Linux 6.18.
//!
//! Read before: `call/argument/accept.rs`, `types/btf_walk.rs`. Read next:
//! `call/argument/special.rs`.

use crate::codes::Code;
use crate::diag::{Checked, Rejection};
use crate::memory::region::FixedOffset;
use crate::step::machine::{Machine, not_modelled};
use crate::types::btf_walk::{StructMatch, contains_struct};
use crate::value::reg::{Kind, RegState};
use ebpf_asm::btf::TypeId;
use ebpf_asm::insn::Reg;

/// What every socket of the kernel begins with.
pub(super) const SOCK: &str = "sock_common";

impl Machine<'_, '_> {
    /// That a pointer to a structure is one to the structure of this name.
    pub(super) fn check_struct(&self, reg: Reg, value: &RegState, wanted: &str) -> Checked {
        let Kind::Btf(pointer) = value.kind else {
            return Ok(());
        };
        self.check_pointer_offset(reg, value, FixedOffset::Allowed)?;
        let btf = self.types_of(pointer)?;
        let kernel = self.env.kernel.btf();
        if pointer.id == TypeId::VOID || !kernel.is_some_and(|kernel| std::ptr::eq(kernel, btf)) {
            return Err(not_modelled("such a structure as an argument"));
        }
        let Some(id) = self.env.kernel.record(wanted) else {
            return Err(not_modelled(&format!("structures named {wanted}")));
        };
        let by = StructMatch {
            off: i64::from(value.off),
            exact: false,
        };
        if contains_struct(btf, pointer.id, id, by) {
            return Ok(());
        }
        let number = reg.number();
        let message = format!(
            "R{number} is of type {} but {wanted} is expected",
            btf.name(pointer.id)
        );
        Err(Rejection::new(Code::ArgumentType, message)
            .label(format!("R{number} points to another structure"))
            .because(value.origin.made, format!("R{number} is made here"))
            .help(format!(
                "hand over a struct {wanted}, or one that begins with it"
            )))
    }
}
