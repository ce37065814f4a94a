//! Kernel functions that take resilient spin locks and give them back.
//!
//! Taking one can fail: then R0 is a negative error, and the lock is not held. So a call goes two
//! ways.
//!
//! Messages as observed on Linux 6.18.
//!
//! Read before: `object/lock.rs`, `object/irq_flag.rs`. Read next: `kfunc/iterator.rs`.

use super::Kfunc;
use super::argument::Passed;
use super::table::Flags;
use crate::call::invoke::ARGUMENTS;
use crate::call::result::MAX_ERRNO;
use crate::codes::Code;
use crate::diag::{Checked, Rejection};
use crate::object::irq_flag::IrqOwner;
use crate::object::lock::{Lock, LockKind};
use crate::step::machine::{Machine, not_modelled};
use crate::value::btf_ptr::Marks;
use crate::value::reg::{Kind, RegState};
use crate::value::scalar::Scalar;
use crate::value::state::State;
use ebpf_asm::insn::Reg;

impl<'a> Machine<'_, 'a> {
    /// The lock that an argument points to, taken or given back.
    pub(super) fn check_res_lock(&mut self, kfunc: &Kfunc<'a>, passed: Passed) -> Checked {
        let Passed { index, reg, value } = passed;
        let here = match value.kind {
            _ if value.may_be_null() => false,
            Kind::MapValue(_) => true,
            Kind::Btf(pointer) => pointer.marks == Marks::ALLOC,
            _ => false,
        };
        if !here {
            let message = format!("arg#{index} doesn't point to map value or allocated object");
            return Err(Rejection::new(Code::SpecialField, message)
                .label(format!("R{} is {}", reg.number(), value.in_words()))
                .because(value.origin.made, format!("R{} is made here", reg.number()))
                .help("let the lock be in a map's value, or in an object of bpf_obj_new, and not null"));
        }
        let kind = match kfunc.row.has(Flags::WITH_IRQ) {
            true => LockKind::ResilientIrq,
            false => LockKind::Resilient,
        };
        let lock: Lock = self.lock_at(reg, &value, kind)?;
        match kfunc.row.has(Flags::TAKES_LOCK) {
            true => self.take_lock(lock),
            false => self.give_lock_back(lock),
        }
    }

    /// The flag of interrupts that an argument points to.
    pub(super) fn check_irq_flag(&mut self, kfunc: &Kfunc<'a>, passed: Passed) -> Checked {
        let Passed { index, reg, .. } = passed;
        match kfunc.name {
            "bpf_local_irq_save" => self.save_irq(index, reg, IrqOwner::Native),
            "bpf_local_irq_restore" => self.restore_irq(index, reg, IrqOwner::Native),
            name if !kfunc.row.has(Flags::WITH_IRQ) => {
                Err(not_modelled(&format!("interrupt flags ({name})")))
            }
            _ if kfunc.row.has(Flags::TAKES_LOCK) => self.save_irq(index, reg, IrqOwner::Lock),
            _ => self.restore_irq(index, reg, IrqOwner::Lock),
        }
    }

    /// The state where a lock could not be taken.
    pub(super) fn lock_failed(&self) -> Box<State> {
        let mut failed = Box::new(self.state.clone());
        let here = self.here();
        for reg in ARGUMENTS {
            failed.set_reg(reg, RegState::NOT_INIT.made(here));
        }
        let error = Scalar::signed_range(-MAX_ERRNO, -1);
        failed.set_reg(Reg::R0, RegState::scalar(error).made(here));
        failed
    }
}
