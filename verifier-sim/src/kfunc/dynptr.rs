//! Kernel functions that make dynptrs and hand out slices of them.
//!
//! Described in the kernel's `Documentation/bpf/kfuncs.rst` (`__uninit`); messages as observed
//! on Linux 6.18.
//!
//! Read before: `kfunc/argument.rs`, `object/dynptr.rs`. Read next: `kfunc/later.rs`.

use super::Kfunc;
use super::argument::{Found, Passed};
use super::table::Does;
use crate::codes::Code;
use crate::ctx::PacketUse;
use crate::diag::{Checked, Rejection};
use crate::object::dynptr::{Access, Slice};
use crate::step::machine::{Machine, not_modelled};
use crate::value::reg::{Kind, RegState};
use ebpf_asm::helper::DynptrType;

impl<'a> Machine<'_, 'a> {
    /// That a register points to a dynptr, or to where the function can make one.
    pub(super) fn check_kfunc_dynptr(
        &mut self,
        kfunc: &Kfunc<'a>,
        passed: Passed,
        found: &mut Found<'a>,
    ) -> Checked {
        let Passed { index, reg, .. } = passed;
        if !kfunc.param_name(index).ends_with("__uninit") {
            found.dynptr = Some(self.check_dynptr_param(index, reg)?);
            return Ok(());
        }
        let value = self.dynptr_param(index, reg)?;
        let (of, owner) = made(kfunc, found.dynptr.as_ref())?;
        self.check_uninit_dynptr(reg, &value)?;
        self.make_dynptr(&value, of, owner);
        Ok(())
    }

    /// What a function that hands out a slice gives, if it is one.
    pub(super) fn slice_of(&self, kfunc: &Kfunc<'_>, found: &Found<'_>) -> Checked<Option<Kind>> {
        let Some(Does::Slices(access)) = kfunc.row.does else {
            return Ok(None);
        };
        let writes_packet = matches!(
            self.env.context.packet,
            PacketUse::Write | PacketUse::Buffer
        );
        if access == Access::Write && !writes_packet {
            let message = "the prog does not allow writes to packet data";
            return Err(Rejection::new(Code::ReadOnly, message)
                .label("whatever the memory is that the dynptr stands for")
                .help("read it with bpf_dynptr_slice"));
        }
        let (Some(dynptr), Some(bytes)) = (found.dynptr, found.constant) else {
            return Err(not_modelled("a slice of no dynptr"));
        };
        let Kind::Dynptr(of) = dynptr.kind else {
            return Err(not_modelled("a slice of no dynptr"));
        };
        // The kernel keeps 32 bits of the size.
        let slice = Slice::of_memory(bytes as u32, dynptr.id, of, access);
        Ok(Some(Kind::Slice(slice)))
    }
}

/// What a new dynptr stands for, and which reference is its as well: those of the one that it
/// is a clone of, which comes before it.
fn made(kfunc: &Kfunc<'_>, cloned: Option<&RegState>) -> Checked<(DynptrType, Option<u32>)> {
    let cloned = cloned.map(|dynptr| (dynptr.kind, dynptr.ref_id));
    match (kfunc.row.does, cloned) {
        (Some(Does::MakesDynptr(of)), _) => Ok((of, None)),
        (Some(Does::ClonesDynptr), Some((Kind::Dynptr(of), owner))) => Ok((of, Some(owner))),
        _ => Err(not_modelled(&format!("what {} makes", kfunc.name))),
    }
}
