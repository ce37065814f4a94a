//! Functions of the kernel that programs are attached to: which the kernel can call programs at.
//!
//! Observed on Linux 6.12, where every function was asked; 6.18 loads no such programs here.
//!
//! Read before: `ctx/attach.rs`. Read next: `ctx/hook.rs`.

use super::attach::{Target, refused};
use crate::diag::{Checked, Rejection};
use crate::kfunc::kind_word;
use ebpf_asm::btf::{Btf, Kind as Type, TypeId};
use ebpf_asm::prog_type::AttachType;

/// Functions that the kernel calls itself wherever it calls programs.
const CALLED_FOR_PROGRAMS: &[&str] = &[
    "__rcu_read_lock",
    "__rcu_read_unlock",
    "migrate_disable",
    "migrate_enable",
];

/// Functions that never return: at their end nothing happens.
const ENDLESS: &[&str] = &[
    "__ia32_sys_exit",
    "__ia32_sys_exit_group",
    "__module_put_and_kthread_exit",
    "__x64_sys_exit",
    "__x64_sys_exit_group",
    "do_exit",
    "do_group_exit",
    "kthread_complete_and_exit",
    "kthread_exit",
    "make_task_dead",
];

/// The most arguments of a function.
const MOST_ARGUMENTS: usize = 12;

/// The most bytes of a structure that is an argument.
const MOST_BYTES: u32 = 16;

/// That the kernel can call programs at a function with this result.
pub(super) fn check_function(btf: &Btf, target: &Target<'_>, result: TypeId) -> Checked {
    let (function, params) = (target.name, target.params);
    if CALLED_FOR_PROGRAMS.contains(&function) {
        return Err(refused("it gives no reason".to_owned()).label(format!(
            "the kernel calls {function} itself to call programs"
        )));
    }
    let at_end = [AttachType::TraceFexit, AttachType::ModifyReturn].contains(&target.attach_type);
    if at_end && ENDLESS.contains(&function) {
        let message = "Attaching fexit/fmod_ret to __noreturn functions is rejected.";
        return Err(refused(message.to_owned()).label(format!("{function} never returns")));
    }
    if params.len() > MOST_ARGUMENTS {
        let count = params.len();
        return Err(unsupported(format!(
            "The function {function} has {count} arguments. Too many."
        )));
    }
    if let Some(kind) = no_number(btf, result).filter(|_| btf.get(btf.resolve(result)).is_some()) {
        let message = format!("The function {function} return type {kind} is unsupported.");
        return Err(unsupported(message));
    }
    for (index, (_, ty)) in params.iter().enumerate() {
        if *ty == TypeId::VOID {
            let message = format!("The function {function} with variable args is unsupported.");
            return Err(unsupported(message));
        }
        let small = btf.size_of(*ty).is_some_and(|size| size <= MOST_BYTES);
        match no_number(btf, *ty) {
            Some("STRUCT") if small => {}
            Some(kind) => {
                return Err(unsupported(format!(
                    "The function {function} arg{index} type {kind} is unsupported."
                )));
            }
            None => {}
        }
    }
    Ok(())
}

/// What kind of type it is, if it is neither a number nor a pointer.
fn no_number(btf: &Btf, ty: TypeId) -> Option<&'static str> {
    let ty = btf.resolve(ty);
    match btf.get(ty).map(|ty| &ty.kind) {
        Some(Type::Int { .. } | Type::Enum { .. } | Type::Enum64 { .. } | Type::Ptr(_)) => None,
        _ => Some(kind_word(btf, ty)),
    }
}

fn unsupported(message: String) -> Box<Rejection> {
    refused(message).label("no program can be called at a function of this type")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ctx::attach::Place;
    use ebpf_asm::btf::{IntEncoding, Linkage};

    /// Checks a function of this name, of so many arguments, that returns `int`.
    fn checked(name: &str, arguments: usize) -> Checked {
        let mut btf = Btf::new();
        let int = Type::Int {
            size: 4,
            encoding: IntEncoding::SIGNED,
            offset: 0,
            bits: 32,
        };
        let ret = btf.add("int", int);
        let argument = btf.add("int", Type::Typedef(ret));
        let params = vec![(btf.intern("argument"), argument); arguments];
        let proto = btf.add(
            "",
            Type::FuncProto {
                ret,
                params: params.clone(),
            },
        );
        let linkage = Linkage::Static;
        btf.add(name, Type::Func { proto, linkage });
        let target = Target {
            place: Place::Function,
            name,
            params: &params,
            returns: None,
            attach_type: AttachType::TraceFexit,
        };
        check_function(&btf, &target, ret)
    }

    #[test]
    fn programs_are_called_at_functions_of_numbers() {
        assert!(checked("vfs_read", MOST_ARGUMENTS).is_ok());
    }

    #[test]
    fn and_not_where_the_kernel_calls_programs() {
        assert!(checked("migrate_disable", 0).is_err());
    }

    #[test]
    fn and_not_where_nothing_returns() {
        assert!(checked("do_exit", 1).is_err());
    }

    #[test]
    fn and_not_with_too_many_arguments() {
        let refused = checked("vfs_read", MOST_ARGUMENTS + 1).unwrap_err();
        let words = "The function vfs_read has 13 arguments. Too many.";
        assert_eq!(refused.message, words);
    }
}
