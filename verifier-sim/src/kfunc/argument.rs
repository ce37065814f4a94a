//! Arguments of kernel functions: what each kind of parameter demands of a register.
//!
//! What a pointer parameter demands depends on the register as well: a structure of the kernel
//! must be of the parameter's type (`structure.rs`), and anything else must be memory of that
//! size (`memory.rs`). What is special about a parameter, whatever the register holds, is in the
//! files behind these, a family each.
//!
//! Described in the kernel's `Documentation/bpf/kfuncs.rst`; messages as observed on Linux 6.18.
//!
//! Read before: `kfunc/param.rs`, `call/argument/mod.rs`. Read next: `kfunc/structure.rs`.

use super::Kfunc;
use super::graph::Graph;
use super::param::{Param, Returned, Special};
use super::structure::is_structure;
use super::table::Flags;
use crate::call::argument::Arguments;
use crate::call::argument::text::CONSTANT;
use crate::call::invoke::ARGUMENTS;
use crate::codes::Code;
use crate::diag::{Checked, Rejection};
use crate::memory::region::check_set;
use crate::object::iterator::Iteration;
use crate::step::alu::describe;
use crate::step::machine::{Machine, not_modelled};
use crate::types::special::{Root, SpecialKind};
use crate::value::btf_ptr::BtfPtr;
use crate::value::reg::{Kind, Null, RegState};
use ebpf_asm::btf::TypeId;
use ebpf_asm::insn::Reg;

/// What was found out about the arguments of a call.
#[derive(Debug, Default)]
pub(super) struct Found<'a> {
    /// What helpers are told of as well: what is released, which memory is filled.
    pub(super) plain: Arguments<'a>,
    /// The number known beforehand.
    pub(super) constant: Option<u64>,
    /// The size of the returned memory in bytes, and whether it may be written.
    pub(super) returned: Option<(u32, Returned)>,
    /// The reference among the arguments.
    pub(super) reference: Option<u32>,
    /// The object among the arguments.
    pub(super) object: Option<BtfPtr>,
    /// Whether it is the program's.
    pub(super) owning: bool,
    /// The list or tree among the arguments.
    pub(super) root: Option<Root>,
    /// The iteration that the function goes on with or ends.
    pub(super) iteration: Option<Iteration>,
    /// The last dynptr among the arguments, but for those that the function makes.
    pub(super) dynptr: Option<RegState>,
}

/// An argument: which parameter, and what is in its register.
#[derive(Debug, Clone, Copy)]
pub(super) struct Passed {
    pub(super) index: usize,
    pub(super) reg: Reg,
    pub(super) value: RegState,
}

impl<'a> Machine<'_, 'a> {
    /// That the registers are what the function takes.
    pub(super) fn check_kfunc_arguments(&mut self, kfunc: &Kfunc<'a>) -> Checked<Found<'a>> {
        let mut found = Found::default();
        if kfunc.params.len() > ARGUMENTS.len() {
            let (count, most) = (kfunc.params.len(), ARGUMENTS.len());
            let message = format!("Function {} has {count} > {most} args", kfunc.name);
            return Err(Rejection::new(Code::ArgumentType, message));
        }
        let mut sized = None;
        for (index, reg) in (0..kfunc.params.len()).zip(ARGUMENTS) {
            if sized.take() == Some(index) {
                continue;
            }
            let value = *self.state.reg(reg);
            let passed = Passed { index, reg, value };
            match kfunc.param(index) {
                Param::Ignored => continue,
                Param::Unknown => {
                    return Err(not_modelled(&format!("argument {index} of {}", kfunc.name)));
                }
                Param::Number | Param::Constant | Param::ReturnedSize(_) => {
                    self.check_kfunc_number(kfunc, passed, &mut found)?;
                }
                Param::Pointer(to) => {
                    if self.check_kfunc_pointer(kfunc, passed, to, &mut found)? == Takes::Two {
                        sized = Some(index + 1);
                    }
                }
            }
        }
        if kfunc.row.has(Flags::RELEASE) && found.plain.released.is_none() {
            let message = format!(
                "release kernel function {} expects refcounted PTR_TO_BTF_ID",
                kfunc.name
            );
            return Err(Rejection::new(Code::NotReleasable, message)
                .label("nothing among the arguments was acquired")
                .help("give back only what a call acquired, once, and as it was given"));
        }
        Ok(found)
    }

    fn check_kfunc_number(
        &mut self,
        kfunc: &Kfunc<'_>,
        passed: Passed,
        found: &mut Found<'_>,
    ) -> Checked {
        let Passed { index, reg, value } = passed;
        let number = reg.number();
        if !value.is_scalar() {
            let message = format!("R{number} is not a scalar");
            return Err(Rejection::new(Code::ArgumentType, message)
                .label(format!("R{number} is {}", value.in_words()))
                .because(value.origin.made, format!("R{number} is made here"))
                .help("hand over a number: the function takes no pointer here"));
        }
        let unknown = |message: &str| {
            Rejection::new(Code::ArgumentSize, format!("R{number} {message}"))
                .label(format!(
                    "the number in R{number} is {}",
                    describe(&value.scalar)
                ))
                .because(value.origin.made, "the number comes from here")
                .help("hand over a constant, the same on every path")
        };
        match kfunc.param(index) {
            Param::Constant => {
                let known = value.as_constant();
                found.constant = Some(known.ok_or_else(|| unknown("must be a known constant"))?);
                self.need(reg);
            }
            Param::ReturnedSize(returned) => {
                let known = value.as_constant();
                let size = known.ok_or_else(|| unknown("is not a const"))?;
                let size = u32::try_from(size)
                    .map_err(|_| not_modelled("returned memory of such a size"))?;
                found.returned = Some((size, returned));
                self.need(reg);
            }
            _ => {}
        }
        Ok(())
    }

    /// Checks a pointer; says whether the next argument belongs to it.
    fn check_kfunc_pointer(
        &mut self,
        kfunc: &Kfunc<'a>,
        passed: Passed,
        to: TypeId,
        found: &mut Found<'a>,
    ) -> Checked<Takes> {
        let Passed { index, value, .. } = passed;
        let is_null = value.as_constant() == Some(0);
        let strict = kfunc.row.wants_trusted() || kfunc.row.has(Flags::RCU);
        if strict && (is_null || value.null == Null::Maybe) && !kfunc.may_be_null(index) {
            let message = format!("Possibly NULL pointer passed to trusted arg{index}");
            return Err(Rejection::new(Code::MaybeNull, message)
                .label(format!("R{} may be null here", passed.reg.number()))
                .because(value.origin.made, "this may give null")
                .help("compare it with 0 first, and call only where it is not"));
        }
        if value.ref_id != 0 {
            found.reference = Some(value.ref_id);
            if kfunc.row.has(Flags::RELEASE) {
                found.plain.released = Some(value.ref_id);
            }
        }
        let sized = self.size_behind(kfunc, index);
        if self.takes_context(kfunc, to) {
            check_set(passed.reg, &passed.value)?;
            self.check_kfunc_context(passed)?;
            return Ok(Takes::One);
        }
        if is_null && kfunc.may_be_null(index) && sized.is_none() {
            return Ok(Takes::One);
        }
        let special = kfunc.special(index, to);
        if special == Some(Special::Map) && matches!(value.kind, Kind::Btf(_)) {
            self.check_map_structure(kfunc, passed)?;
            return Ok(Takes::One);
        }
        if let Some(special) = special {
            self.check_special(kfunc, passed, (special, to), found)?;
            return Ok(Takes::One);
        }
        if is_structure(value.kind) {
            self.check_structure(kfunc, passed, to)?;
            return Ok(Takes::One);
        }
        self.check_kfunc_memory(kfunc, passed, to, sized, found)
    }

    /// Whether a pointer to `to` is the program's context.
    fn takes_context(&self, kfunc: &Kfunc<'_>, to: TypeId) -> bool {
        kfunc.name == "bpf_cast_to_kern_ctx" || self.env.is_context(kfunc.btf, to)
    }

    fn check_kfunc_context(&self, passed: Passed) -> Checked {
        let Passed { index, reg, value } = passed;
        if value.kind != Kind::Ctx {
            let name = value.type_name();
            let message = format!("arg#{index} expected pointer to ctx, but got {name}");
            return Err(Rejection::new(Code::ArgumentType, message)
                .label(format!("R{} is {}", reg.number(), value.in_words()))
                .help("hand over the context as the program got it: keep it in R6 to R9"));
        }
        self.check_whole_ctx(reg, &value)
    }

    /// That an argument is a text that cannot change any more.
    fn check_constant_text(&mut self, passed: Passed, found: &mut Found<'a>) -> Checked {
        let Passed { index, reg, value } = passed;
        if matches!(value.kind, Kind::MapValue(_)) && value.null == Null::Never {
            return self.check_text(reg, &value, &mut found.plain);
        }
        let message = format!("arg#{index} doesn't point to a const string");
        Err(Rejection::new(Code::ConstantText, message)
            .label(format!("R{} is {}", reg.number(), value.in_words()))
            .because(value.origin.made, format!("R{} is made here", reg.number()))
            .help(CONSTANT))
    }

    /// What is special about an argument.
    fn check_special(
        &mut self,
        kfunc: &Kfunc<'a>,
        passed: Passed,
        (special, to): (Special, TypeId),
        found: &mut Found<'a>,
    ) -> Checked {
        // Of maps, and of objects that are given back, it is asked first whether they are such; of all
        // else first where the pointer leads (each asked of Linux 6.18).
        if !matches!(special, Special::Map | Special::Allocated) {
            check_set(passed.reg, &passed.value)?;
            if passed.value.kind == Kind::Ctx {
                self.check_whole_ctx(passed.reg, &passed.value)?;
            }
        }
        match special {
            Special::Iterator => self.check_kfunc_iterator(kfunc, passed, to, found),
            Special::Dynptr => self.check_kfunc_dynptr(kfunc, passed, found),
            Special::WorkQueue => self.check_work(passed, SpecialKind::Workqueue, found),
            Special::TaskWork => self.check_work(passed, SpecialKind::TaskWork, found),
            Special::Map => self.check_kfunc_map(passed, found),
            Special::Callback => self.check_kfunc_callback(passed, found),
            Special::IrqFlag => self.check_irq_flag(kfunc, passed),
            Special::ResSpinLock => self.check_res_lock(kfunc, passed),
            Special::Allocated => self.check_object(kfunc, passed, found),
            Special::Refcounted => self.check_refcounted(kfunc, passed, found),
            Special::ListHead => self.check_root(kfunc, passed, Graph::List, found),
            Special::ListNode => self.check_node(kfunc, passed, Graph::List, found),
            Special::RbRoot => self.check_root(kfunc, passed, Graph::Tree, found),
            Special::RbNode => self.check_node(kfunc, passed, Graph::Tree, found),
            Special::ConstText => self.check_constant_text(passed, found),
        }
    }
}

/// How many arguments a pointer takes up: itself, and its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    One,
    Two,
}
