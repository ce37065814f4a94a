//! Global functions: those that BTF calls global are verified once and on their own, for any
//! arguments that their prototype allows; a call only checks that its arguments are such.
//!
//! Described in the kernel's `Documentation/bpf/verifier.rst` and, for the tags on
//! parameters, in libbpf's `bpf_helpers.h`; messages as observed on Linux 6.18.
//!
//! Read before: `call.rs`. Read next: `explore.rs`.

use crate::argument::Arguments;
use crate::call::ARGUMENTS;
use crate::codes::Code;
use crate::diag::{Checked, Rejection};
use crate::env::Env;
use crate::kfunc::kfunc_sleeps;
use crate::machine::{Flow, Machine, not_modelled};
use crate::reg::{Kind, Null, RegState};
use crate::state::State;
use ebpf_asm::btf::{Btf, Kind as Type, Linkage, TypeId};
use ebpf_asm::helper::{DynptrType, Effect, Sleeps, by_id};
use ebpf_asm::insn::{Insn, Reg};
use ebpf_asm::isa::{Callee, Sem};
use ebpf_asm::prog_type::ProgType;
use ebpf_asm::program::Program;

/// A global function.
#[derive(Debug)]
pub(crate) struct Global {
    /// Its first slot.
    pub(crate) slot: usize,
    /// Its name.
    pub(crate) name: String,
    /// What it takes, or the kernel's words on why it cannot be called.
    params: Result<Vec<Param>, String>,
    /// Whether a call of it ends packet pointers.
    moves_packet: bool,
}

/// What a global function takes in an argument register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Param {
    /// A number.
    Scalar,
    /// The program's context.
    Ctx,
    /// A dynptr.
    Dynptr,
    /// Memory of so many bytes that may be read and written, and maybe null.
    Mem { size: u32, null: Null },
}

/// The global functions of a program, by their slots.
pub(crate) fn globals(program: &Program, btf: Option<&Btf>) -> Vec<Global> {
    let Some(btf) = btf else { return Vec::new() };
    let typed = program.functions.iter().filter(|f| f.slot > 0);
    let global = typed.filter_map(|function| {
        let id = function.type_id?;
        let Type::Func {
            proto,
            linkage: Linkage::Global,
        } = btf.get(id)?.kind
        else {
            return None;
        };
        Some(Global {
            slot: function.slot,
            name: function.name.clone(),
            params: params(btf, program.prog_type, id, proto, &function.name),
            moves_packet: moves_packet(program, function.slot),
        })
    });
    global.collect()
}

/// The parameters of a function, or why the kernel takes no such function.
fn params(
    btf: &Btf,
    prog_type: ProgType,
    function: TypeId,
    proto: TypeId,
    name: &str,
) -> Result<Vec<Param>, String> {
    let Some(Type::FuncProto { ret, params }) = btf.get(proto).map(|ty| &ty.kind) else {
        return Err(format!("Invalid BTF of func {name}"));
    };
    if params.len() > ARGUMENTS.len() {
        let (count, most) = (params.len(), ARGUMENTS.len());
        return Err(format!(
            "Global function {name}() with {count} > {most} args. Buggy compiler."
        ));
    }
    if !is_number(btf, *ret) {
        return Err(format!(
            "Global function {name}() doesn't return scalar. Only those are supported."
        ));
    }
    let tags = tags(btf, function);
    let params = params.iter().enumerate().map(|(index, (_, ty))| {
        let tagged = |tag: &str| tags.iter().any(|(at, name)| *at == index && *name == tag);
        param(btf, prog_type, *ty, &tagged).map_err(|why| match why {
            NoParam::Size(what) => {
                format!("arg#{index} reference type('{what}') size cannot be determined: -22")
            }
            NoParam::Kind(kind) => {
                format!("Arg#{index} type {kind} in {name}() is not supported yet.")
            }
        })
    });
    params.collect()
}

/// Why a parameter cannot be checked.
enum NoParam {
    /// Nobody knows the size of what it points to.
    Size(String),
    /// It is neither a number nor a pointer.
    Kind(&'static str),
}

fn param(
    btf: &Btf,
    prog_type: ProgType,
    ty: TypeId,
    tagged: &dyn Fn(&str) -> bool,
) -> Result<Param, NoParam> {
    if is_number(btf, ty) {
        return Ok(Param::Scalar);
    }
    let Some(Type::Ptr(to)) = btf.get(btf.resolve(ty)).map(|ty| &ty.kind) else {
        return Err(NoParam::Kind(kind_name(btf, btf.resolve(ty))));
    };
    let to = btf.resolve(*to);
    let context = prog_type.context_struct();
    if tagged("arg:ctx") || (!context.is_empty() && btf.name(to) == context) {
        return Ok(Param::Ctx);
    }
    if btf.name(to) == "bpf_dynptr" {
        return Ok(Param::Dynptr);
    }
    let null = match tagged("arg:nonnull") {
        true => Null::Never,
        false => Null::Maybe,
    };
    match btf.size_of(to) {
        Some(size) => Ok(Param::Mem { size, null }),
        None => Err(NoParam::Size(format!(
            "{} {}",
            kind_name(btf, to),
            btf.name(to)
        ))),
    }
}

/// Whether a type is an integer or an enum, which arguments and results may be.
pub(crate) fn is_number(btf: &Btf, ty: TypeId) -> bool {
    matches!(
        btf.get(btf.resolve(ty)).map(|ty| &ty.kind),
        Some(Type::Int { .. } | Type::Enum { .. } | Type::Enum64 { .. })
    )
}

/// The name of a kind as the kernel's messages have it.
fn kind_name(btf: &Btf, ty: TypeId) -> &'static str {
    match btf.get(ty).map(|ty| &ty.kind) {
        Some(Type::Struct { .. }) => "STRUCT",
        Some(Type::Union { .. }) => "UNION",
        Some(Type::Fwd(_)) => "FWD",
        Some(Type::Float { .. }) => "FLOAT",
        Some(Type::Array { .. }) => "ARRAY",
        Some(Type::FuncProto { .. }) => "FUNC_PROTO",
        _ => "UNKNOWN",
    }
}

/// The tags on a function's parameters: which parameter, and the tag.
fn tags(btf: &Btf, function: TypeId) -> Vec<(usize, &str)> {
    let tag = |(_, ty): (TypeId, &ebpf_asm::btf::Type)| match ty.kind {
        Type::DeclTag {
            ty: of, component, ..
        } if of == function => Some((usize::try_from(component).ok()?, ty.name)),
        _ => None,
    };
    let tags = btf.types().filter_map(tag);
    tags.map(|(at, name)| (at, btf.str(name))).collect()
}

/// Whether a function, or one that it calls, calls a helper that moves the packet, or goes on
/// in another program, which may do so.
fn moves_packet(program: &Program, function: usize) -> bool {
    let (mut seen, mut waiting) = (vec![function], vec![function]);
    while let Some(start) = waiting.pop() {
        let later = program.functions.iter().map(|f| f.slot);
        let end = later.filter(|&slot| slot > start).min();
        let body = program
            .slots()
            .skip_while(|(slot, _)| *slot < start)
            .take_while(|(slot, _)| end.is_none_or(|end| *slot < end));
        for (slot, insn) in body {
            if moves(insn) {
                return true;
            }
            let callee = program.target(slot, insn);
            let callee = callee.filter(|_| insn.sem() == Sem::Call(Callee::Local));
            if let Some(callee) = callee.filter(|callee| !seen.contains(callee)) {
                seen.push(callee);
                waiting.push(callee);
            }
        }
    }
    false
}

fn moves(insn: &Insn) -> bool {
    if insn.sem() != Sem::Call(Callee::Helper) {
        return false;
    }
    let effect = by_id(insn.imm()).map(|helper| helper.effect());
    matches!(effect, Some(Effect::MovesPacket | Effect::LeavesProgram))
}

impl Global {
    /// The state that the function is verified with: any arguments that it may get.
    pub(crate) fn entry(&self, last_id: &mut u32) -> Checked<State> {
        let mut state = State::entry(self.slot);
        for (reg, param) in ARGUMENTS.into_iter().zip(self.params()?) {
            let value = match *param {
                Param::Scalar => RegState::unknown(),
                Param::Ctx => RegState::pointer(Kind::Ctx),
                Param::Dynptr => {
                    *last_id += 1;
                    let mut dynptr = RegState::pointer(Kind::Dynptr(DynptrType::Local));
                    dynptr.id = *last_id;
                    dynptr
                }
                Param::Mem { size, null } => {
                    let memory = RegState::pointer(Kind::Mem(size));
                    match null {
                        Null::Never => memory,
                        Null::Maybe => {
                            *last_id += 1;
                            memory.maybe_null(*last_id)
                        }
                    }
                }
            };
            *state.reg_mut(reg) = value;
        }
        Ok(state)
    }

    fn params(&self) -> Checked<&[Param]> {
        match &self.params {
            Ok(params) => Ok(params),
            Err(message) => Err(
                Rejection::new(Code::GlobalFunction, message.as_str()).label(format!(
                    "'{}' is global, and cannot be verified on its own",
                    self.name
                )),
            ),
        }
    }
}

impl Env<'_> {
    /// The global function that begins at `slot`.
    pub(crate) fn global(&self, slot: usize) -> Option<&Global> {
        self.globals.iter().find(|global| global.slot == slot)
    }
}

impl<'a> Machine<'_, 'a> {
    /// A call of a global function.
    pub(crate) fn call_global(&mut self, insn: &Insn, global: &Global) -> Checked<Flow> {
        self.check_no_lock("global function calls are not allowed while holding a lock")?;
        self.check_global_sleeps(global)?;
        let params = global.params()?;
        let mut arguments = Arguments::default();
        for (index, (reg, param)) in ARGUMENTS.into_iter().zip(params).enumerate() {
            self.check_param(index, reg, *param, &mut arguments)
                .map_err(|refused| refused.because(self.here(), called(global)))?;
        }
        self.notes.called.push(global.slot);
        self.fill_memory(&arguments);
        if global.moves_packet {
            self.end_packet_pointers();
        }
        self.clobber_arguments();
        self.write_reg(Reg::R0, RegState::unknown())?;
        Ok(Flow::To(self.slot + insn.slots()))
    }

    /// That an argument is what the prototype says.
    fn check_param(
        &mut self,
        index: usize,
        reg: Reg,
        param: Param,
        found: &mut Arguments<'a>,
    ) -> Checked {
        let number = reg.number();
        let value = *self.state.reg(reg);
        match param {
            Param::Scalar if value.is_scalar() => Ok(()),
            Param::Scalar => Err(Rejection::new(
                Code::ArgumentType,
                format!("R{number} is not a scalar"),
            )
            .label(format!("R{number} is '{}'", value.type_name()))),
            Param::Ctx if value.kind == Kind::Ctx => self.check_whole_ctx(reg, &value),
            Param::Ctx => Err(Rejection::new(
                Code::ArgumentType,
                format!("arg#{index} expects pointer to ctx"),
            )
            .label(format!("R{number} is '{}'", value.type_name()))),
            Param::Dynptr => self.check_dynptr_param(index, reg).map(|_| ()),
            Param::Mem { .. } if value.as_constant() == Some(0) => Ok(()),
            Param::Mem { size, null } => {
                if null == Null::Never && value.null == Null::Maybe {
                    let message = format!("arg#{index} is expected to be non-NULL");
                    return Err(Rejection::new(Code::MaybeNull, message)
                        .label(format!("R{number} may be null here"))
                        .because(value.origin.made, "this may give null"));
                }
                self.check_shared_memory(reg, &value, size, found)
            }
        }
    }
}

impl Env<'_> {
    /// Whether something that may sleep is called in a function or in one that it leads to,
    /// whether or not a path leads there.
    pub(crate) fn may_sleep_in(&self, function: usize) -> bool {
        let functions = self.cfg.reached_from(vec![function]);
        let mut slots = functions
            .into_iter()
            .flat_map(|function| self.cfg.function_range(function));
        slots.any(|slot| self.may_sleep_at(slot))
    }

    fn may_sleep_at(&self, slot: usize) -> bool {
        let Some(insn) = self.cfg.insn(slot) else {
            return false;
        };
        match insn.sem() {
            Sem::Call(Callee::Helper) => {
                by_id(insn.imm()).is_some_and(|helper| helper.callers.sleeps == Sleeps::Maybe)
            }
            _ => self.kfunc_name(slot).is_some_and(kfunc_sleeps),
        }
    }
}

fn called(global: &Global) -> String {
    format!("this calls '{}', a global function", global.name)
}

/// A function that is not verified here.
pub(crate) fn no_such_function(slot: usize) -> Box<Rejection> {
    not_modelled(&format!("a function at slot {slot}"))
}
