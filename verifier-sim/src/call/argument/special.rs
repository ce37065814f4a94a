//! Arguments that are special fields of map values: locks, timers, pointers to the kernel.
//!
//! Described in bpf-helpers(7), `bpf_spin_lock`, `bpf_timer_init` and `bpf_kptr_xchg`; messages as
//! observed on Linux 6.18.
//!
//! Read before: `types/special.rs`, `object/lock.rs`, `memory/kptr.rs`. Read next:
//! `call/argument/owned.rs`.

use super::Arguments;
use crate::codes::Code;
use crate::diag::{Checked, Rejection};
use crate::memory::region::FixedOffset;
use crate::step::machine::Machine;
use crate::types::special::SpecialKind;
use crate::value::reg::{Kind, RegState};
use ebpf_asm::insn::Reg;

impl<'a> Machine<'_, 'a> {
    /// That a register points to the timer of a map's value; the map is one of the arguments.
    pub(super) fn check_timer(
        &self,
        reg: Reg,
        value: &RegState,
        found: &mut Arguments<'a>,
    ) -> Checked {
        self.check_special_place(reg, value, SpecialKind::Timer)?;
        let Kind::MapValue(index) = value.kind else {
            return Ok(());
        };
        found.map_index = Some(index);
        found.map_uid = value.map_uid;
        found.map = self.env.map(index);
        Ok(())
    }

    /// A pointer to a structure that each CPU has: whole.
    pub(super) fn check_per_cpu(
        &self,
        reg: Reg,
        value: &RegState,
        found: &mut Arguments<'a>,
    ) -> Checked {
        self.check_pointer_offset(reg, value, FixedOffset::Refused)?;
        if let Kind::Btf(pointer) = value.kind {
            found.per_cpu = Some(pointer);
        }
        Ok(())
    }

    /// That a map is the one that the argument before is in, if it is in one.
    pub(super) fn check_same_map(&self, value: &RegState, found: &Arguments<'_>) -> Checked {
        let Some(index) = found.map_index else {
            return Ok(());
        };
        if value.kind == Kind::Map(index) && value.map_uid == found.map_uid {
            return Ok(());
        }
        let message = format!(
            "timer pointer in R1 map_uid={} doesn't match map pointer in R2 map_uid={}",
            found.map_uid, value.map_uid
        );
        Err(Rejection::new(Code::SpecialField, message)
            .label("is another map than the one that the timer is in")
            .help("hand over the map in whose value the timer is"))
    }
}
