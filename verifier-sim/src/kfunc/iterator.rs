//! Kernel functions that begin, go on with and end iterations.
//!
//! Described in the kernel's `Documentation/bpf/kfuncs.rst` and
//! `Documentation/bpf/bpf_iterators.rst`; messages as observed on Linux 6.18.
//!
//! Read before: `object/iterator.rs`, `kfunc/argument.rs`. Read next: `kfunc/invoke.rs`.

use super::argument::{Found, Passed};
use super::table::{Flags, by_name};
use super::{Kfunc, name_of};
use crate::codes::Code;
use crate::diag::{Checked, Rejection};
use crate::object::iterator::{Guard, IteratorType};
use crate::step::machine::{Machine, not_modelled};
use crate::types::kernel_types::KernelTypes;
use crate::value::btf_ptr::Marks;
use ebpf_asm::btf::TypeId;
use ebpf_asm::insn::Insn;
use ebpf_asm::object::Object;
use ebpf_asm::prog_type::{AttachType, ProgType};
use ebpf_asm::program::Program;

/// Iterates over the tasks of a control group, and takes a lock for that.
const LOCKED: &str = "bpf_iter_css_task_new";

/// Whether the instruction at `slot` calls a function that gives the next of an iteration.
pub(crate) fn calls_next(
    object: &Object,
    program: &Program,
    kernel: &KernelTypes,
    (slot, insn): (usize, &Insn),
) -> bool {
    name_of(object, program, kernel, (slot, insn))
        .and_then(by_name)
        .is_some_and(|row| row.has(Flags::ITER_NEXT))
}

impl<'a> Machine<'_, 'a> {
    /// That a register points to an iteration, or to room for the one that the function begins.
    pub(super) fn check_kfunc_iterator(
        &mut self,
        kfunc: &Kfunc<'a>,
        passed: Passed,
        to: TypeId,
        found: &mut Found<'a>,
    ) -> Checked {
        let Passed { index, reg, .. } = passed;
        let name = kfunc.btf.name(to);
        let size = kfunc.btf.size_of(to);
        let slots = size.and_then(|size| u8::try_from(size / 8).ok());
        let of = IteratorType {
            ty: to,
            name: name.strip_prefix("bpf_").unwrap_or(name),
            slots: slots.ok_or_else(|| not_modelled("such an iteration"))?,
        };
        if kfunc.row.has(Flags::ITER_NEW) {
            self.check_may_iterate(kfunc)?;
            let guard = match kfunc.row.has(Flags::RCU_PROTECTED) {
                true if self.in_rcu_section() => Guard::Rcu,
                true => Guard::Gone,
                false => Guard::Iterator,
            };
            return self.begin_iteration(index, reg, of, guard);
        }
        let iteration = self.iteration(index, reg, of, kfunc.name)?;
        found.reference = Some(iteration.owner);
        if kfunc.row.has(Flags::ITER_DESTROY) {
            self.end_iteration(&iteration);
        }
        found.iteration = Some(iteration);
        Ok(())
    }

    /// That a program of this kind may hold the lock that some iterations take.
    fn check_may_iterate(&self, kfunc: &Kfunc<'_>) -> Checked {
        let program = self.env.program;
        let attach_type = program.prog_type.attach_type(program.expected_attach_type);
        let allowed = program.prog_type == ProgType::Lsm
            || attach_type == AttachType::TraceIter && program.prog_type == ProgType::Tracing
            || self.is_sleepable();
        if kfunc.name != LOCKED || allowed {
            return Ok(());
        }
        let message = "css_task_iter is only allowed in bpf_lsm, bpf_iter and sleepable progs";
        Err(Rejection::new(Code::KfuncNotAllowed, message)
            .label("takes a lock that is not for this program")
            .help("go through them from an iter program, or from one that may sleep"))
    }
}

/// How far a structure that an iteration gives is to be trusted.
pub(super) fn marks_of(guard: Guard) -> Marks {
    match guard {
        Guard::Rcu => Marks::RCU,
        Guard::Iterator | Guard::Gone => Marks::TRUSTED,
    }
}
