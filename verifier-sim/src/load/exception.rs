//! Exceptions: `bpf_throw` ends the program from wherever it is called, and the functions that
//! are active end with it.
//!
//! The program's result is then the number that was thrown, or what the program's *exception
//! callback* makes of it: a global function that a declaration tag of the program's own
//! function names, `exception_callback:NAME`. Nothing is given back when a program is left so,
//! so that nothing may be held, and no section open. What throws is not to be called back.
//!
//! Observed on Linux 6.18. Described in the messages of kernel commits f18b03fabaa9 and
//! b9ae0c9dd0ac.
//!
//! Read before: `func_info.rs`. Read next: `map_create.rs`.

use crate::codes::Code;
use crate::config::Config;
use crate::diag::{Checked, Place, Rejection};
use crate::env::Env;
use crate::path::explore::{Explorer, Path};
use crate::path::visits::CalledLoop;
use crate::step::machine::{Flow, Machine};
use crate::types::prototype::is_number;
use crate::value::state::Entered;
use ebpf_asm::btf::{Btf, Kind as Type, Linkage, TypeId};
use ebpf_asm::insn::Reg;
use ebpf_asm::isa::KernelVersion;
use ebpf_asm::program::Program;

/// What an exception callback must be.
const ONE_CALLBACK: &str = "name one global function, which takes one number (u64) and returns int: \
                            __exception_cb(name) in C";

/// Since when programs have exception callbacks; from the kernel's history. To Linux 6.1 the function
/// that is named is one that nothing calls.
const CALLBACKS: KernelVersion = (6, 7);

/// The first slot of the program's exception callback, if it names one.
pub(crate) fn exception_callback(
    program: &Program,
    btf: Option<&Btf>,
    config: &Config,
) -> Checked<Option<usize>> {
    if !config.since(CALLBACKS) {
        return Ok(None);
    }
    let main = program.functions.iter().find(|f| f.slot == 0);
    let Some((btf, main)) = btf.zip(main.and_then(|main| main.type_id)) else {
        return Ok(None);
    };
    let tags = btf.exception_callbacks();
    let mut names = tags.filter(|(of, _)| *of == main).map(|(_, name)| name);
    let (Some(name), another) = (names.next(), names.next()) else {
        return Ok(None);
    };
    let refuse = |message: String, label: &str| {
        Err(Rejection::new(Code::Exception, message)
            .label(label.to_owned())
            .help(ONE_CALLBACK))
    };
    if another.is_some() {
        let message = "multiple exception callback tags for main subprog";
        return refuse(message.to_owned(), "a program has one exception callback");
    }
    let functions = btf.types().filter(|(_, ty)| btf.str(ty.name) == name);
    let mut found = functions.filter_map(|(id, ty)| match ty.kind {
        Type::Func { linkage, .. } => Some((id, linkage)),
        _ => None,
    });
    let Some((id, linkage)) = found.next() else {
        let message = format!("exception callback '{name}' could not be found in BTF");
        return refuse(message, "names an exception callback that is not there");
    };
    if linkage != Linkage::Global {
        let message = format!("exception callback '{name}' must have global linkage");
        return refuse(message, "names an exception callback that is not global");
    }
    let function = program.functions.iter().find(|f| f.type_id == Some(id));
    match function.map_or(0, |function| function.slot) {
        0 => refuse(
            "invalid exception callback insn_off in func_info: 0".to_owned(),
            "the exception callback is no other function of the program",
        ),
        slot => Ok(Some(slot)),
    }
}

/// Whether the program's exception callback takes one number. The kernel asks when it comes to
/// verifying it.
pub(crate) fn check_catcher_type(env: &Env<'_>, callback: usize) -> Checked {
    let mut functions = env.program.functions.iter();
    let function = functions.find(|function| function.slot == callback);
    let type_id = function.and_then(|function| function.type_id);
    let takes = |btf: &Btf| match btf.get(type_id?)?.kind {
        Type::Func { proto, .. } => Some(takes_number(btf, proto)),
        _ => None,
    };
    match env.object.btf.as_ref().and_then(takes) {
        Some(false) => {
            let message = "exception cb only supports single integer argument";
            Err(Rejection::new(Code::Exception, message)
                .label("the exception callback takes what was thrown: one number")
                .help(ONE_CALLBACK))
        }
        _ => Ok(()),
    }
}

/// Whether a function takes one number. What else is wrong with it is found where it is
/// verified.
fn takes_number(btf: &Btf, proto: TypeId) -> bool {
    match btf.get(proto).map(|ty| &ty.kind) {
        Some(Type::FuncProto { params, .. }) => match params.as_slice() {
            [(_, ty)] => is_number(btf, *ty),
            _ => false,
        },
        _ => true,
    }
}

/// That nothing throws in functions that were called back or in what they call, whether or not a
/// path leads to the throw, and that the exception callback is not called, whether or not a path
/// leads there.
pub(crate) fn check_throws(env: &Env<'_>, called_back: Vec<usize>) -> Checked {
    let cfg = &env.cfg;
    for slot in 0..cfg.slot_count() {
        if env.exception_callback.is_some() && cfg.callee(slot) == env.exception_callback {
            let message = format!("insn {slot} cannot call exception cb directly");
            let mut refused = Rejection::new(Code::Exception, message)
                .label("only the kernel calls the exception callback")
                .help("throw instead, with bpf_throw");
            refused.slot = slot;
            return Err(refused);
        }
    }
    let throws = |slot: &usize| env.kfunc_name(*slot) == Some("bpf_throw");
    let mut first = called_back;
    first.extend(env.exception_callback);
    first.sort_unstable();
    first.dedup();
    for function in cfg.reached_from(first) {
        let Some(slot) = cfg.function_range(function).find(throws) else {
            continue;
        };
        let index = cfg.functions().partition_point(|&start| start < function);
        let message =
            format!("bpf_throw kfunc (insn {slot}) cannot be called from callback subprog {index}");
        let mut refused = Rejection::new(Code::Exception, message)
            .label("throws out of a function that the kernel calls")
            .because(
                Place::at(function),
                "the function, or one that calls it, is called back",
            )
            .help("let the callback return, and throw behind the call that calls it back");
        refused.slot = slot;
        return Err(refused);
    }
    Ok(())
}

impl Machine<'_, '_> {
    /// `bpf_throw(R1)`: the program ends here. A global function that is verified on its own throws
    /// any number, though nothing catches it; a function that is called later, and what it calls,
    /// one of its results (Linux 6.18).
    pub(crate) fn throw(&mut self) -> Checked<Flow> {
        if self.env.exception_callback.is_none() {
            let thrown = *self.state.reg(Reg::R1);
            let begun = self.state.frame_of(0).map(|first| first.entered.clone());
            if let Some(Entered::Later { results, .. }) = begun {
                self.check_later_result(Reg::R1, &thrown, &results)?;
            } else if !self.is_in_global_function() {
                self.check_result(Reg::R1, &thrown)?;
            }
        }
        self.check_nothing_held("bpf_throw", "throws with something not given back")?;
        self.check_closed("bpf_throw")?;
        Ok(Flow::End)
    }
}

impl Explorer<'_, '_, '_> {
    /// Notes that a path ends in a throw, if it does.
    pub(crate) fn ended(&mut self, path: &Path) -> Checked {
        if self.env.kfunc_name(path.slot) != Some("bpf_throw") {
            return Ok(());
        }
        self.throws = true;
        // A loop is entered where the first state in it is kept.
        let place = CalledLoop::of(&self.env.components, &path.state, path.slot);
        if place.is_some_and(|place| !self.tree.visits.has(&place)) {
            let message = "verifier bug: scc exit: no visit info for call chain (1)";
            return Err(Rejection::new(Code::Exception, message)
                .label("throws out of a loop in its first round")
                .help("leave the loop, and throw behind it"));
        }
        Ok(())
    }
}
