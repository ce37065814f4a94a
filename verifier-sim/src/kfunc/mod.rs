//! Kernel functions that programs call by their type's number: kfuncs.
//!
//! What one takes and returns is in the kernel's BTF; what its pointers must be like, whether
//! it acquires, releases, may sleep, is in its flags (`table.rs`), and who may call it as well
//! (`hook.rs`). Here they are put together; `param.rs` reads a prototype, `argument.rs` checks
//! a call against it, `invoke.rs` does what the call does.
//!
//! Described in the kernel's `Documentation/bpf/kfuncs.rst`.
//!
//! Read before: `types/kernel_types.rs`, `value/btf_ptr.rs`. Read in the order `callee.rs`,
//! `hook.rs`, `table.rs`, `param.rs`, `argument.rs`, `structure.rs`, `memory.rs`, `cast.rs`,
//! `dynptr.rs`, `later.rs`, `object.rs`, `graph.rs`, `res_lock.rs`, `iterator.rs`, `invoke.rs`.

mod argument;
mod callee;
mod cast;
mod dynptr;
mod graph;
mod hook;
mod invoke;
mod iterator;
mod later;
mod memory;
mod object;
mod param;
mod res_lock;
mod structure;
mod table;

use self::callee::Named;
use crate::call::callable::{DECLARE_LICENSE, is_gpl_compatible};
use crate::codes::Code;
use crate::config::Config;
use crate::diag::{Checked, Rejection};
use crate::env::Env;
use crate::load::instead::{Newer, instead};
use crate::step::machine::not_modelled;
use crate::types::kernel_types::KernelTypes;
use ebpf_asm::btf::core::POISON;
use ebpf_asm::btf::{Btf, Kind as Type, StrId, TypeId};
use ebpf_asm::helper::{Effect, by_id};
use ebpf_asm::insn::Insn;
use ebpf_asm::isa::{Callee, Sem};
use ebpf_asm::object::{Object, Strength};
use ebpf_asm::program::{Program, Reference};
pub(crate) use iterator::calls_next;
pub(crate) use table::Flags;
use table::{Does, Row};

/// A kernel function, as a call finds it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kfunc<'a> {
    /// The kernel's types, which the numbers below belong to.
    pub(crate) btf: &'a Btf,
    /// Its name.
    pub(crate) name: &'a str,
    /// What it returns.
    pub(crate) ret: TypeId,
    /// What it takes: the name and the type of each parameter.
    pub(crate) params: &'a [(StrId, TypeId)],
    /// Its flags and callers.
    pub(crate) row: &'static Row,
}

impl Kfunc<'_> {
    /// Whether R1 to R5 survive its calls but for its arguments (`bpf_fastcall`).
    pub(crate) fn is_fastcall(&self) -> bool {
        self.row.has(Flags::FASTCALL)
    }
}

/// What the kernel asks of calls of its functions before it follows any instruction: also of
/// those where no path leads.
pub(crate) fn check_calls(
    object: &Object,
    program: &Program,
    config: &Config,
    kernel: &KernelTypes,
) -> Checked {
    let calls = |(_, insn): &(usize, &Insn)| insn.sem() == Sem::Call(Callee::Kfunc);
    let mut called = Named::default();
    for (slot, insn) in program.slots().filter(calls) {
        let checked = match check_call(object, program, kernel, (slot, insn)) {
            Ok(Some(id)) if let Some(btf) = kernel.btf() => called.check(config, kernel, btf, id),
            checked => checked.map(|_| ()),
        };
        checked.map_err(|mut why| {
            why.slot = slot;
            why
        })?;
    }
    Ok(())
}

/// That the program may call a function of the kernel there, whichever it is; gives its type, if it
/// calls one and that is known.
fn check_call(
    object: &Object,
    program: &Program,
    kernel: &KernelTypes,
    (slot, insn): (usize, &Insn),
) -> Checked<Option<TypeId>> {
    let named = matches!(program.reference(slot), Some(Reference::Extern(_)));
    if !is_gpl_compatible(&object.license) {
        let message = "cannot call kernel function from non-GPL compatible program";
        return Err(Rejection::new(Code::GplOnly, message)
            .label("calls a function of the kernel")
            .help(DECLARE_LICENSE));
    }
    if !named {
        // The loader fills in modules for calls that have names.
        check_module(insn)?;
    }
    if !named && insn.imm() == 0 {
        return Ok(None);
    }
    let name = name_of(object, program, kernel, (slot, insn));
    if name.is_some_and(|name| has_flag(name, Flags::DEVICE_BOUND)) {
        let message = "metadata kfuncs require device-bound program";
        return Err(Rejection::new(Code::KfuncNotAllowed, message)
            .label("asks the network card, for which the program is not loaded")
            .help(
                "load the program for the card alone (BPF_F_XDP_DEV_BOUND_ONLY and its \
                 prog_ifindex)",
            ));
    }
    Ok(match name.filter(|_| named) {
        Some(name) => kernel.function(name),
        None => Some(TypeId(insn.imm() as u32)),
    })
}

/// That a call names no function of a module: those are handed to the kernel beside the program.
fn check_module(insn: &Insn) -> Checked {
    let message = match insn.offset() {
        0 => return Ok(()),
        ..0 => "negative offset disallowed for kernel module function call",
        _ => "kfunc offset > 0 without fd_array is invalid",
    };
    Err(Rejection::new(Code::UnknownKfunc, message)
        .label("calls a function of a module that is not named")
        .adds("failed to find BTF for kernel function")
        .help("call it by its name, which is declared extern: the loader finds its module"))
}

/// The releases that functions of the kernel came with whose names begin so.
#[cfg(test)]
pub(crate) fn releases_of(begins: &str) -> Vec<ebpf_asm::isa::KernelVersion> {
    let rows = table::KFUNCS.iter();
    rows.filter(|row| row.name.starts_with(begins))
        .map(|row| row.since)
        .collect()
}

/// The functions of the kernel.
#[cfg(test)]
pub(crate) fn kfuncs() -> impl Iterator<Item = &'static str> {
    table::KFUNCS.iter().map(|row| row.name)
}

/// Those with a flag.
#[cfg(test)]
pub(crate) fn with_flag(flag: Flags) -> impl Iterator<Item = &'static str> {
    let rows = table::KFUNCS.iter();
    rows.filter(move |row| row.has(flag)).map(|row| row.name)
}

/// Whether the function of the kernel of this name may be called while a lock is held.
pub(crate) fn may_hold_lock(name: &str) -> bool {
    has_flag(name, Flags::IN_LOCK)
}

/// Whether the function of the kernel of this name may sleep.
pub(crate) fn kfunc_sleeps(name: &str) -> bool {
    has_flag(name, Flags::SLEEPABLE)
}

fn has_flag(name: &str, flag: Flags) -> bool {
    table::by_name(name).is_some_and(|row| row.has(flag))
}

/// Whether an instruction calls a function of the kernel that moves the packet.
pub(crate) fn moves_packet(
    object: &Object,
    program: &Program,
    kernel: &KernelTypes,
    at: (usize, &Insn),
) -> bool {
    name_of(object, program, kernel, at).is_some_and(|name| has_flag(name, Flags::MOVES_PACKET))
}

/// The name of the function of the kernel that the instruction at `slot` calls, if it does.
pub(crate) fn name_of<'a>(
    object: &'a Object,
    program: &Program,
    kernel: &'a KernelTypes,
    (slot, insn): (usize, &Insn),
) -> Option<&'a str> {
    if !matches!(insn.sem(), Sem::Call(Callee::Kfunc)) {
        return None;
    }
    match program.reference(slot) {
        Some(Reference::Extern(index)) => object.externs.get(index).map(|of| of.name.as_str()),
        _ if insn.offset() != 0 => None,
        _ => Some(kernel.btf()?.name(TypeId(insn.imm() as u32))),
    }
}

/// A call of a function of the kernel as the kernel's log spells it, `call NAME#ID`, if the
/// instruction at a slot is one and the name is known. The id is that of the kernel's types.
pub fn kernel_call(
    object: &Object,
    program: &Program,
    kernel: &KernelTypes,
    at: (usize, &Insn),
) -> Option<String> {
    let name = name_of(object, program, kernel, at)?;
    let id = kernel.function(name).map_or(0, |id| id.0);
    Some(format!("call {name}#{id}"))
}

/// Whether kernels of the release have a function of this name.
pub(crate) fn is_there(config: &Config, name: &str) -> bool {
    table::by_name(name).is_some_and(|row| config.since(row.since))
}

/// How many arguments the function of the kernel takes that an instruction calls, if it calls
/// one that is known. Of one that the program may not call, where it is never reached, the kernel
/// does not ask it (6.18).
pub(crate) fn argument_count(
    object: &Object,
    program: &Program,
    kernel: &KernelTypes,
    at: (usize, &Insn),
) -> Option<usize> {
    let name = name_of(object, program, kernel, at)?;
    if table::by_name(name).is_some_and(|row| !hook::may_call(program, row.callers)) {
        return None;
    }
    let id = kernel.function(name)?;
    let btf = kernel.btf()?;
    let Type::Func { proto, .. } = btf.get(id)?.kind else {
        return None;
    };
    match &btf.get(proto)?.kind {
        Type::FuncProto { params, .. } => Some(params.len()),
        _ => None,
    }
}

/// Whether an instruction calls a function that calls one of the program's back.
pub(crate) fn calls_back(
    object: &Object,
    program: &Program,
    kernel: &KernelTypes,
    at: (usize, &Insn),
) -> bool {
    name_of(object, program, kernel, at).is_some_and(|name| has_flag(name, Flags::CALLS_BACK))
}

/// Whether an instruction calls a helper or a function of the kernel that has a function of the
/// program called later.
pub(crate) fn calls_later(
    object: &Object,
    program: &Program,
    kernel: &KernelTypes,
    (slot, insn): (usize, &Insn),
) -> bool {
    if insn.sem() == Sem::Call(Callee::Helper) {
        return by_id(insn.imm()).is_some_and(|helper| helper.effect() == Effect::CallsLater);
    }
    let name = name_of(object, program, kernel, (slot, insn));
    let row = name.and_then(table::by_name);
    row.is_some_and(|row| matches!(row.does, Some(Does::CallsLater(_))))
}

impl<'a> Env<'a> {
    /// The name of the function of the kernel that the instruction at `slot` calls, if it does.
    pub(crate) fn kfunc_name(&self, slot: usize) -> Option<&str> {
        let insn = self.cfg.insn(slot)?;
        name_of(self.object, self.program, self.kernel, (slot, insn))
    }

    /// The function that the call at `slot` calls, if the program may.
    pub(crate) fn kfunc(&self, slot: usize, insn: &Insn) -> Checked<Kfunc<'a>> {
        let btf = self.kernel.needed_for("calls of kernel functions")?;
        if insn.offset() != 0 {
            return Err(not_modelled("functions of kernel modules"));
        }
        let id = self.kfunc_id(slot, insn)?;
        let function = |id| match btf.get(id).map(|ty| &ty.kind) {
            Some(Type::Func { proto, .. }) => Some(*proto),
            _ => None,
        };
        let proto = function(id).and_then(|proto| btf.get(proto));
        let Some(Type::FuncProto { ret, params }) = proto.map(|proto| &proto.kind) else {
            let message = format!("kernel btf_id {} is not a function", id.0);
            return Err(Rejection::new(Code::UnknownKfunc, message)
                .label("the kernel's types have no function of this number"));
        };
        let name = btf.name(id);
        let row = self.kfunc_row(id, name)?;
        Ok(Kfunc {
            btf,
            name,
            ret: *ret,
            params,
            row,
        })
    }

    /// The number of the function that a call calls.
    fn kfunc_id(&self, slot: usize, insn: &Insn) -> Checked<TypeId> {
        let Some(Reference::Extern(index)) = self.program.reference(slot) else {
            return Ok(TypeId(insn.imm() as u32));
        };
        let of = self.object.externs.get(index);
        let of = of.ok_or_else(|| not_modelled("a call of an extern that is not there"))?;
        self.kernel.function(&of.name).ok_or_else(|| {
            let kernel = self.config.kernel;
            if let Some(types) = self.kernel.of_other_release(kernel) {
                let ((major, minor), name) = (kernel, &of.name);
                return not_modelled(&format!(
                    "the function {name} of Linux {major}.{minor}, which the types at hand, of \
                     Linux {}.{}, do not have",
                    types.0, types.1
                ));
            }
            let label = match of.strength {
                Strength::Strong => "the program cannot be loaded: the kernel has no such function",
                Strength::Weak => "is called although the kernel does not have it",
            };
            // What loaders put into the place of such a call.
            Rejection::new(Code::UnknownKfunc, format!("invalid func unknown#{POISON}"))
                .label(label)
                .help("declare it weak, and call it only where its address is not 0")
        })
    }

    /// Whether a function of the kernel is known to have no result.
    fn gives_nothing(&self, id: TypeId) -> bool {
        let kind = |id| Some(&self.kernel.btf()?.get(id)?.kind);
        match kind(id) {
            Some(Type::Func { proto, .. }) => {
                matches!(kind(*proto), Some(Type::FuncProto { ret, .. }) if *ret == TypeId::VOID)
            }
            _ => false,
        }
    }

    /// The row of a function that the program may call.
    fn kfunc_row(&self, id: TypeId, name: &str) -> Checked<&'static Row> {
        let refuse = |label: String| {
            let message = format!("calling kernel function {name} is not allowed");
            Rejection::new(Code::KfuncNotAllowed, message).label(label)
        };
        let Some(row) = table::by_name(name) else {
            return match self.kernel.is_kfunc(id) {
                true => Err(not_modelled(&format!("the kernel function {name}"))),
                false => Err(refuse("it is not for programs to call".to_owned())
                    .help("call a function that the kernel has for programs")),
            };
        };
        if !self.config.since(row.since) {
            let (major, minor) = row.since;
            let refused = refuse(format!("{name} came with Linux {major}.{minor}"));
            let older = instead(Newer::Kfunc(name), self.config.kernel);
            return Err(refused.help_if(older));
        }
        if !hook::may_call(self.program, row.callers) {
            let prog_type = self.program.prog_type;
            let refused = refuse(format!("{prog_type} programs may not call it"));
            return Err(refused.help(match self.gives_nothing(id) {
                true => "call it from a program of a type that may",
                false => {
                    "call it from a program of a type that may, or read what it gives by a helper"
                }
            }));
        }
        Ok(row)
    }
}
