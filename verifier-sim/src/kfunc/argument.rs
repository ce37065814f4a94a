//! Arguments of kernel functions: what each kind of parameter demands of a register.
//!
//! What a pointer parameter demands depends on the register as well: a structure of the kernel
//! must be of the parameter's type, and anything else must be memory of that size, which is
//! only possible if the type is nothing but numbers.
//!
//! Messages as observed on Linux 6.18.
//!
//! Read before: `kfunc/param.rs`, `call/argument/mod.rs`. Read next: `kfunc/invoke.rs`.

use super::Kfunc;
use super::object::Graph;
use super::param::{Param, Returned, SizeParam, Special, is_plain};
use super::table::Flags;
use crate::call::argument::Arguments;
use crate::call::argument::owned::AS_ACQUIRED;
use crate::call::argument::text::CONSTANT;
use crate::call::invoke::ARGUMENTS;
use crate::codes::Code;
use crate::diag::{Checked, Rejection};
use crate::memory::number_help::number_made;
use crate::memory::region::{FixedOffset, check_set};
use crate::object::iterator::Iteration;
use crate::step::alu::describe;
use crate::step::machine::{Machine, not_modelled};
use crate::types::btf_walk::{StructMatch, contains_struct};
use crate::types::special::{Root, SpecialKind};
use crate::value::btf_ptr::{BtfPtr, Marks, Types};
use crate::value::reg::{Kind, Null, RegState, SockType};
use ebpf_asm::btf::{Btf, Kind as Type, TypeId};
use ebpf_asm::insn::Reg;

/// What to do about a structure that is not trusted, for functions that want it so.
const TO_TRUST: &str = "acquire it first, as by bpf_task_acquire, and compare that with 0; what is \
                        handed to the program (as arguments of tp_btf and lsm) is trusted as it is";

/// The same for functions that are content with what RCU protects.
const TO_TRUST_RCU: &str = "read the pointer between bpf_rcu_read_lock and bpf_rcu_read_unlock, and \
                            use it there, or acquire it, as by bpf_task_acquire";

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
struct Passed {
    index: usize,
    reg: Reg,
    value: RegState,
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
            match kfunc.param(index) {
                Param::Ignored => continue,
                Param::Unknown => {
                    return Err(not_modelled(&format!("argument {index} of {}", kfunc.name)));
                }
                Param::Number | Param::Constant | Param::ReturnedSize(_) => {
                    self.check_kfunc_number(kfunc, index, reg, &mut found)?;
                }
                Param::Pointer(to) => {
                    let value = *self.state.reg(reg);
                    let passed = Passed { index, reg, value };
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
        index: usize,
        reg: Reg,
        found: &mut Found<'_>,
    ) -> Checked {
        let value = *self.state.reg(reg);
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

    /// Whether the argument behind a pointer is the size of its memory: by its name, and if it
    /// is a number.
    fn size_behind(&self, kfunc: &Kfunc<'_>, index: usize) -> Option<SizeParam> {
        let sized = kfunc.size_of_memory(index + 1)?;
        let reg = ARGUMENTS.get(index + 1)?;
        let is_number = matches!(kfunc.param(index + 1), Param::Number);
        (is_number && self.state.reg(*reg).is_scalar()).then_some(sized)
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

    /// That a pointer to a structure, or to what stands for one, is to the parameter's type.
    fn check_structure(&self, kfunc: &Kfunc<'a>, passed: Passed, to: TypeId) -> Checked {
        let Passed { index, reg, value } = passed;
        let number = reg.number();
        let is_struct = matches!(
            kfunc.btf.get(to).map(|ty| &ty.kind),
            Some(Type::Struct { .. } | Type::Union { .. })
        );
        if !is_struct {
            let message = format!(
                "kernel function {} args#{index} pointer type {} {} is not supported",
                kfunc.name,
                kind_word(kfunc.btf, to),
                kfunc.btf.name(to)
            );
            return Err(Rejection::new(Code::ArgumentType, message)
                .label(format!("R{number} points to a structure")));
        }
        self.check_trust(kfunc, passed)?;
        self.check_structure_offset(reg, &value, kfunc)?;
        check_safe(passed)?;
        let Some((btf, id)) = self.structure_of(&value)? else {
            return Err(not_modelled("a structure that is not known"));
        };
        let has = btf.name(id);
        let wanted = kfunc.btf.name(to);
        let releases = kfunc.row.has(Flags::RELEASE) && value.ref_id != 0;
        let exact = kfunc.row.has(Flags::ACQUIRE) || releases || is_alias(has, wanted);
        let matched = StructMatch {
            off: i64::from(value.off),
            exact,
        };
        let same = std::ptr::eq(btf, kfunc.btf);
        if is_projection(wanted, has) || (same && contains_struct(btf, id, to, matched)) {
            return Ok(());
        }
        let message = format!(
            "kernel function {} args#{index} expected pointer to {} {wanted} but R{number} has a \
             pointer to {} {has}",
            kfunc.name,
            kind_word(kfunc.btf, to),
            kind_word(btf, id),
        );
        Err(Rejection::new(Code::ArgumentType, message)
            .label(format!("R{number} points to another structure"))
            .because(value.origin.made, format!("R{number} is made here"))
            .help(format!(
                "hand over a struct {wanted}: a cast does not make one"
            )))
    }

    /// That a pointer to a structure in the place of a map is to what the kernel has of one.
    fn check_map_structure(&self, kfunc: &Kfunc<'a>, passed: Passed) -> Checked {
        let map = self.env.kernel.record("bpf_map");
        let map = map.ok_or_else(|| not_modelled("maps of the kernel without their type"))?;
        self.check_structure(kfunc, passed, map)
    }

    /// That a pointer is as trusted as the function wants it.
    fn check_trust(&self, kfunc: &Kfunc<'_>, passed: Passed) -> Checked {
        let (value, number) = (passed.value, passed.reg.number());
        let rcu = kfunc.row.has(Flags::RCU);
        let trusted = match value.kind {
            Kind::Btf(_) => value.is_trusted_structure(),
            // Sockets and maps of the program's own world are.
            _ => true,
        };
        if trusted || !(rcu || kfunc.row.wants_trusted()) {
            return Ok(());
        }
        let protected = matches!(value.kind, Kind::Btf(pointer) if pointer.marks.has(Marks::RCU));
        let message = match (rcu, protected) {
            (true, true) => return Ok(()),
            (true, false) => format!("R{number} must be a rcu pointer"),
            (false, _) => format!("R{number} must be referenced or trusted"),
        };
        let refused = Rejection::new(Code::Untrusted, message)
            .label(format!("R{number} may point to what is gone"))
            .because(value.origin.made, format!("R{number} is made here"));
        Err(refused.help(match rcu {
            true => TO_TRUST_RCU,
            false => TO_TRUST,
        }))
    }

    /// That a structure is passed with a known offset, and what is released with none.
    fn check_structure_offset(&self, reg: Reg, value: &RegState, kfunc: &Kfunc<'_>) -> Checked {
        let number = reg.number();
        if kfunc.row.has(Flags::RELEASE) && value.ref_id != 0 && value.off != 0 {
            let message = format!(
                "R{number} must have zero offset when passed to release func or trusted arg to kfunc"
            );
            return Err(Rejection::new(Code::NotReleasable, message)
                .label("points behind the beginning of what was acquired")
                .because(value.origin.made, "the address is made here")
                .help(AS_ACQUIRED));
        }
        let fixed = match value.kind {
            Kind::Btf(_) => FixedOffset::Allowed,
            _ => FixedOffset::Refused,
        };
        self.check_pointer_offset(reg, value, fixed)
    }

    /// The type that a pointer to a structure points to; `None` if it is not known.
    fn structure_of(&self, value: &RegState) -> Checked<Option<(&'a Btf, TypeId)>> {
        let kernel = self.env.kernel;
        let named = |name: &str| kernel.btf().zip(kernel.record(name));
        Ok(match value.kind {
            Kind::Btf(pointer) if pointer.id == TypeId::VOID => None,
            Kind::Btf(pointer) => match pointer.types {
                Types::Kernel => kernel.btf().map(|btf| (btf, pointer.id)),
                Types::Program => self.env.object.btf.as_ref().map(|btf| (btf, pointer.id)),
            },
            Kind::Sock(SockType::Common) => named("sock_common"),
            Kind::Sock(SockType::Sock) => named("sock"),
            Kind::Sock(SockType::Tcp) => named("tcp_sock"),
            Kind::Map(_) => named("bpf_map"),
            _ => None,
        })
    }

    /// That a register points to memory of the parameter's type, or of the size behind it.
    fn check_kfunc_memory(
        &mut self,
        kfunc: &Kfunc<'a>,
        passed: Passed,
        to: TypeId,
        sized: Option<SizeParam>,
        found: &mut Found<'a>,
    ) -> Checked<Takes> {
        let Passed { index, reg, value } = passed;
        let btf = kfunc.btf;
        let any = sized.is_some() && to == TypeId::VOID;
        if !any && !is_plain(btf, to) {
            let message = format!(
                "arg#{index} pointer type {} {} must point to {}scalar, or struct with scalar",
                kind_word(btf, to),
                btf.name(to),
                if sized.is_some() { "void, " } else { "" },
            );
            let refused = Rejection::new(Code::ArgumentType, message).label(format!(
                "R{} is {}, and not a pointer to struct {}",
                reg.number(),
                value.in_words(),
                btf.name(to)
            ));
            let refused = number_made(self.env, refused, reg, &value);
            return Err(match refused.help {
                Some(_) => refused,
                None => refused.help(format!(
                    "hand over a struct {} that the kernel gave: from a call that acquires one, \
                     or as an argument of the program",
                    btf.name(to)
                )),
            });
        }
        match sized {
            None => {
                self.check_whole_type(btf, passed, to, found)?;
                Ok(Takes::One)
            }
            Some(sized) => {
                self.check_memory_and_size(kfunc, passed, sized, found)?;
                Ok(Takes::Two)
            }
        }
    }

    /// That a register points to memory for a value of a type, or is null.
    fn check_whole_type(
        &mut self,
        btf: &Btf,
        Passed { index, reg, value }: Passed,
        to: TypeId,
        found: &mut Found<'a>,
    ) -> Checked {
        let Some(size) = btf.size_of(to) else {
            let message = format!(
                "arg#{index} reference type('{} {}') size cannot be determined: -22",
                kind_word(btf, to),
                btf.name(to)
            );
            return Err(Rejection::new(Code::ArgumentType, message));
        };
        match value.as_constant() {
            Some(0) => Ok(()),
            _ => self.check_shared_memory(reg, &value, size, &mut found.plain),
        }
    }

    /// That a register points to as much memory as the next one says.
    fn check_memory_and_size(
        &mut self,
        kfunc: &Kfunc<'a>,
        Passed { index, reg, value }: Passed,
        sized: SizeParam,
        found: &mut Found<'a>,
    ) -> Checked {
        let Some(size_reg) = ARGUMENTS.get(index + 1).copied() else {
            return Err(not_modelled("a size behind the last argument"));
        };
        let left_out = value.as_constant() == Some(0) && kfunc.is_optional(index);
        if !left_out {
            let checked = self.check_sized_memory(reg, size_reg, &mut found.plain);
            checked.map_err(|refused| {
                let behind = index + 1;
                refused.adds(format!(
                    "arg#{index} arg#{behind} memory, len pair leads to invalid memory access"
                ))
            })?;
        }
        if sized == SizeParam::Constant {
            let size = *self.state.reg(size_reg);
            let Some(known) = size.as_constant() else {
                let message = format!("R{} must be a known constant", size_reg.number());
                return Err(Rejection::new(Code::ArgumentSize, message)
                    .label("the size is not known when the program is verified")
                    .because(size.origin.made, "the size comes from here")
                    .help("hand over a constant, as sizeof(buffer), the same on every path"));
            };
            found.constant = Some(known);
            self.need(size_reg);
        }
        Ok(())
    }

    /// That an argument is a text that cannot change any more.
    fn check_constant_text(&mut self, index: usize, reg: Reg, found: &mut Found<'a>) -> Checked {
        let value = *self.state.reg(reg);
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
        let Passed { index, reg, .. } = passed;
        // Of maps, and of objects that are given back, it is asked first whether they are such; of all
        // else first where the pointer leads (each asked of Linux 6.18).
        if !matches!(special, Special::Map | Special::Allocated) {
            check_set(passed.reg, &passed.value)?;
            if passed.value.kind == Kind::Ctx {
                self.check_whole_ctx(reg, &passed.value)?;
            }
        }
        match special {
            Special::Iterator => self.check_kfunc_iterator(kfunc, index, reg, to, found),
            Special::Dynptr => self.check_kfunc_dynptr(kfunc, index, reg, found),
            Special::WorkQueue => self.check_work(index, reg, SpecialKind::Workqueue, found),
            Special::TaskWork => self.check_work(index, reg, SpecialKind::TaskWork, found),
            Special::Map => self.check_kfunc_map(reg, found),
            Special::Callback => self.check_kfunc_callback(index, reg, found),
            Special::IrqFlag => self.check_irq_flag(kfunc, index, reg),
            Special::ResSpinLock => self.check_res_lock(kfunc, index, reg),
            Special::Allocated => self.check_object(kfunc, index, reg, found),
            Special::Refcounted => self.check_refcounted(kfunc, index, reg, found),
            Special::ListHead => self.check_root(kfunc, index, reg, Graph::List, found),
            Special::ListNode => self.check_node(kfunc, index, reg, Graph::List, found),
            Special::RbRoot => self.check_root(kfunc, index, reg, Graph::Tree, found),
            Special::RbNode => self.check_node(kfunc, index, reg, Graph::Tree, found),
            Special::ConstText => self.check_constant_text(index, reg, found),
        }
    }
}

/// That a pointer to a structure has no marks but those that make it trusted, or RCU's: also
/// for functions that do not ask for trust.
fn check_safe(passed: Passed) -> Checked {
    let Passed { index, value, .. } = passed;
    let Kind::Btf(pointer) = value.kind else {
        return Ok(());
    };
    let unsafe_marks = pointer.marks.without(Marks::TRUSTWORTHY);
    let safe = value.null == Null::Never && unsafe_marks == Marks::NONE;
    if safe || pointer.marks.has(Marks::RCU) {
        return Ok(());
    }
    let wanted = pointer.marks.without(unsafe_marks).prefix();
    let message = format!(
        "arg#{index} is {} expected {wanted}ptr_ or socket",
        value.type_name()
    );
    Err(Rejection::new(Code::Untrusted, message)
        .label(format!("R{} may point anywhere", passed.reg.number()))
        .because(value.origin.made, "the pointer comes from here")
        .help(TO_TRUST))
}

/// How many arguments a pointer takes up: itself, and its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Takes {
    One,
    Two,
}

/// Whether a register of this kind is taken as a structure of the kernel.
fn is_structure(kind: Kind) -> bool {
    match kind {
        Kind::Btf(_) | Kind::Map(_) => true,
        Kind::Sock(sock) => sock != SockType::Xdp,
        _ => false,
    }
}

/// Whether a type is what programs see of another: the context's structs.
fn is_projection(wanted: &str, has: &str) -> bool {
    const PAIRS: [(&str, &str); 2] = [("__sk_buff", "sk_buff"), ("xdp_md", "xdp_buff")];
    PAIRS.contains(&(wanted, has))
}

/// Whether two names are of one structure before and after it is set up, which are not the
/// same to functions.
fn is_alias(a: &str, b: &str) -> bool {
    const SETUP: &str = "___init";
    a.strip_suffix(SETUP) == Some(b) || b.strip_suffix(SETUP) == Some(a)
}

/// The kind of a type as the kernel's messages have it.
pub(crate) fn kind_word(btf: &Btf, id: TypeId) -> &'static str {
    match btf.get(id).map(|ty| &ty.kind) {
        None => "UNKNOWN",
        Some(Type::Int { .. }) => "INT",
        Some(Type::Ptr(_)) => "PTR",
        Some(Type::Array { .. }) => "ARRAY",
        Some(Type::Struct { .. }) => "STRUCT",
        Some(Type::Union { .. }) => "UNION",
        Some(Type::Enum { .. }) => "ENUM",
        Some(Type::Enum64 { .. }) => "ENUM64",
        Some(Type::Fwd(_)) => "FWD",
        Some(Type::FuncProto { .. }) => "FUNC_PROTO",
        Some(Type::Func { .. }) => "FUNC",
        Some(Type::Float { .. }) => "FLOAT",
        Some(_) => "UNKNOWN",
    }
}
