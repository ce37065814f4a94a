//! Global functions: those that BTF calls global are verified once and on their own, for any
//! arguments that their prototype allows; a call only checks that its arguments are such.
//!
//! Described in the kernel's `Documentation/bpf/verifier.rst` and, for the tags on
//! parameters, in libbpf's `bpf_helpers.h`; messages as observed on Linux 6.18.
//!
//! Read before: `invoke.rs`. Read next: `path/explore.rs`.

use crate::call::argument::Arguments;
use crate::call::invoke::ARGUMENTS;
use crate::codes::Code;
use crate::diag::{Checked, Rejection};
use crate::env::Env;
use crate::kfunc::{self, kfunc_sleeps};
use crate::memory::region::{FixedOffset, check_set};
use crate::step::machine::{Flow, Machine, not_modelled};
use crate::types::btf_walk::{StructMatch, contains_struct};
use crate::types::kernel_types::TargetKernel;
use crate::types::prototype::{Param, params};
use crate::value::btf_ptr::{BtfPtr, Marks, Types};
use crate::value::reg::{Kind, Null, RegState};
use crate::value::state::State;
use ebpf_asm::btf::{Kind as Type, Linkage, TypeId};
use ebpf_asm::helper::{DynptrType, Effect, Sleeps, by_id};
use ebpf_asm::insn::{Insn, Reg};
use ebpf_asm::isa::{Callee, KernelVersion, Sem};
use ebpf_asm::object::Object;
use ebpf_asm::program::Program;

/// Since when a call of a global function that moves the packet ends packet pointers. Linux 6.12 (its
/// later releases) does so and 6.1 does not; between them this is not known, and done.
const MOVES_PACKETS: KernelVersion = (6, 2);

/// How the kernel's words on an argument end that points to nobody knows how much.
const NO_SIZE: &str = "size cannot be determined: -22";

/// What to do about such an argument.
const ARGUMENT_OF_KNOWN_SIZE: &str = "let the argument be a number, the context, or a pointer to what \
     has a known size: a struct that is defined here, an int, an array of constant length in a struct \
     (void and structs that are only declared have none); or make the function static: then it is \
     verified where it is called, with what it is given";

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

/// The global functions of a program, by their slots.
pub(crate) fn globals(object: &Object, program: &Program, kernel: TargetKernel<'_>) -> Vec<Global> {
    let Some(btf) = &object.btf else {
        return Vec::new();
    };
    let moves = |at: (usize, &Insn)| {
        helper_moves(at.1) || kfunc::moves_packet(object, program, kernel.types, at)
    };
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
            params: params(btf, kernel, program, (id, proto), &function.name),
            moves_packet: kernel.config.since(MOVES_PACKETS)
                && moves_packet(program, function.slot, moves),
        })
    });
    global.collect()
}

/// Whether a function, or one that it calls, calls what moves the packet, or goes on in another
/// program, which may do so.
fn moves_packet(
    program: &Program,
    function: usize,
    moves: impl Fn((usize, &Insn)) -> bool,
) -> bool {
    let (mut seen, mut waiting) = (vec![function], vec![function]);
    while let Some(start) = waiting.pop() {
        let later = program.functions.iter().map(|f| f.slot);
        let end = later.filter(|&slot| slot > start).min();
        let body = program
            .slots()
            .skip_while(|(slot, _)| *slot < start)
            .take_while(|(slot, _)| end.is_none_or(|end| *slot < end));
        for (slot, insn) in body {
            if moves((slot, insn)) {
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

pub(crate) fn helper_moves(insn: &Insn) -> bool {
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
        let mut identified = |pointer: RegState| {
            *last_id += 1;
            RegState {
                id: *last_id,
                ..pointer
            }
        };
        for (reg, param) in ARGUMENTS.into_iter().zip(self.params()?) {
            let value = match *param {
                Param::Scalar | Param::Arena => RegState::unknown(),
                Param::NotModelled(what) => return Err(not_modelled(what)),
                // Each has an id of its own, also what is not null (Linux 6.18).
                Param::Trusted { id, null } => {
                    let pointer = Kind::Btf(BtfPtr::kernel(id, Marks::TRUSTED));
                    let pointer = identified(RegState::pointer(pointer));
                    RegState { null, ..pointer }
                }
                Param::Untrusted(Some(id)) => {
                    let pointer = Kind::Btf(BtfPtr::kernel(id, Marks::UNTRUSTED));
                    identified(RegState::pointer(pointer))
                }
                Param::Untrusted(None) => RegState::pointer(Kind::UntrustedMem),
                Param::Ctx => RegState::pointer(Kind::Ctx),
                Param::Dynptr => identified(RegState::pointer(Kind::Dynptr(DynptrType::Local))),
                Param::Mem { size, null } => {
                    let pointer = RegState::pointer(Kind::Mem(size));
                    match null {
                        Null::Never => pointer,
                        Null::Maybe => RegState {
                            null,
                            ..identified(pointer)
                        },
                    }
                }
            };
            state.set_reg(reg, value);
        }
        Ok(state)
    }

    fn params(&self) -> Checked<&[Param]> {
        match &self.params {
            Ok(params) => Ok(params),
            Err(message) => Err(Rejection::new(Code::GlobalFunction, message.as_str())
                .label(format!(
                    "'{}' is global, and cannot be verified on its own",
                    self.name
                ))
                .help(match message.ends_with(NO_SIZE) {
                    true => ARGUMENT_OF_KNOWN_SIZE,
                    false => {
                        "make it static: then it is verified where it is called, with what it is given"
                    }
                })),
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
        self.check_no_lock("global function calls are not allowed while holding a lock,")
            .map_err(|refused| refused.adds("use static function instead"))?;
        self.check_global_sleeps(global)?;
        let params = global.params();
        let params = params.map_err(|refused| self.passes_invalid(refused, global))?;
        let mut arguments = Arguments::default();
        for (index, (reg, param)) in ARGUMENTS.into_iter().zip(params).enumerate() {
            let checked = self.check_param(index, reg, *param, &mut arguments);
            checked.map_err(|refused| {
                self.passes_invalid(refused, global)
                    .because(self.here(), called(global))
            })?;
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

    /// What the kernel adds to a refusal of what a call passes.
    fn passes_invalid(&self, refused: Box<Rejection>, global: &Global) -> Box<Rejection> {
        let mut functions = self.env.program.functions.iter();
        let number = functions.position(|function| function.slot == global.slot);
        let name = &global.name;
        match number {
            Some(number) => refused.adds(format!(
                "Caller passes invalid args into func#{number} ('{name}')"
            )),
            None => refused,
        }
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
            .label(format!("R{number} is {}", value.in_words()))
            .help("the function is global: hand over what its prototype says, here a number")),
            Param::Ctx if value.kind == Kind::Ctx => self.check_whole_ctx(reg, &value),
            Param::Ctx => {
                check_set(reg, &value)?;
                let message = format!("arg#{index} expects pointer to ctx");
                Err(Rejection::new(Code::ArgumentType, message)
                    .label(format!("R{number} is {}", value.in_words()))
                    .help(match value.is_scalar() {
                        true => {
                            "the function is global: hand over what its prototype says, here the \
                             context as the program got it. Compilers leave out what a function does \
                             not use: use the argument in it, or take it out of the prototype"
                        }
                        false => {
                            "the function is global: hand over what its prototype says, here the \
                             context as the program got it"
                        }
                    }))
            }
            Param::NotModelled(what) => Err(not_modelled(what)),
            Param::Trusted { id, null } => self.check_trusted_param(reg, &value, id, null),
            Param::Untrusted(_) => Ok(()),
            Param::Arena if value.kind == Kind::Arena || value.is_scalar() => Ok(()),
            Param::Arena => {
                let message = format!("R{number} is not a pointer to arena or scalar.");
                Err(Rejection::new(Code::ArgumentType, message)
                    .label(format!("R{number} is {}", value.in_words()))
                    .help("hand over an address in the arena, or leave __arg_arena out"))
            }
            Param::Dynptr => self.check_dynptr_param(index, reg).map(|_| ()),
            Param::Mem { .. } if value.as_constant() == Some(0) => Ok(()),
            Param::Mem { size, null } => {
                if null == Null::Never && value.null == Null::Maybe {
                    let message = format!("arg#{index} is expected to be non-NULL");
                    return Err(Rejection::new(Code::MaybeNull, message)
                        .label(format!("R{number} may be null here"))
                        .because(value.origin.made, "this may give null")
                        .help(format!(
                            "compare R{number} with 0 before the call, or leave __arg_nonnull \
                             out and compare in the function"
                        )));
                }
                self.check_shared_memory(reg, &value, size, found)
            }
        }
    }
}

impl Machine<'_, '_> {
    /// That an argument is a structure of the kernel as a trusted parameter has it.
    fn check_trusted_param(&self, reg: Reg, value: &RegState, id: TypeId, null: Null) -> Checked {
        let number = reg.number();
        if null == Null::Maybe && value.as_constant() == Some(0) {
            return Ok(());
        }
        let btf = self.env.kernel.needed_for("structures of the kernel")?;
        let refuse = |message: String| {
            Err(Rejection::new(Code::ArgumentType, message)
                .label(format!("R{number} is {}", value.in_words()))
                .because(value.origin.made, format!("R{number} is made here"))
                .help(
                    "hand over a structure of the kernel that is known to live: an argument of \
                     the program, or what was acquired",
                ))
        };
        let known = [Marks::NONE, Marks::TRUSTED, Marks::RCU];
        let pointer = match value.kind {
            Kind::Btf(pointer)
                if pointer.types == Types::Kernel
                    && known.contains(&pointer.marks)
                    && (null == Null::Maybe || value.null == Null::Never) =>
            {
                pointer
            }
            _ => {
                let name = value.type_name();
                return refuse(format!(
                    "R{number} type={name} expected=ptr_, trusted_ptr_, rcu_ptr_"
                ));
            }
        };
        self.check_pointer_offset(reg, value, FixedOffset::Allowed)?;
        let matched = StructMatch {
            off: i64::from(value.off),
            exact: false,
        };
        if contains_struct(btf, pointer.id, id, matched) {
            return Ok(());
        }
        refuse(format!(
            "R{number} is of type {} but {} is expected",
            btf.name(pointer.id),
            btf.name(id)
        ))
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
