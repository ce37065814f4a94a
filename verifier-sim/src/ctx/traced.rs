//! Functions of the kernel that programs are attached to: which the kernel can call programs at.
//!
//! Observed on Linux 6.12, where every function was asked; 6.18 was not, since kernels that are
//! locked down load no such programs. Names that only other configurations have are from the
//! kernel's history.
//!
//! Read before: `ctx/attach.rs`, `types/kernel_call.rs`. Read next: `ctx/hook.rs`.

use super::attach::{Target, refused};
use crate::config::Config;
use crate::diag::Checked;
use crate::report::kernel_says::without_reason;
use crate::types::kernel_call::check_prototype;
use ebpf_asm::btf::{Btf, TypeId};
use ebpf_asm::prog_type::AttachType;

/// Functions that the kernel calls itself wherever it calls programs.
const CALLED_FOR_PROGRAMS: &[&str] = &[
    "__rcu_read_lock",
    "__rcu_read_unlock",
    "migrate_disable",
    "migrate_enable",
    "preempt_count_add",
    "preempt_count_sub",
    "rcu_read_unlock_strict",
];

/// Functions that never return: at their end nothing happens.
const ENDLESS: &[&str] = &[
    "__ia32_sys_exit",
    "__ia32_sys_exit_group",
    "__kunit_abort",
    "__module_put_and_kthread_exit",
    "__x64_sys_exit",
    "__x64_sys_exit_group",
    "do_exit",
    "do_group_exit",
    "kthread_complete_and_exit",
    "kthread_exit",
    "kunit_try_catch_throw",
    "make_task_dead",
];

/// Where a program can be called instead.
const ELSEWHERE: &str = "attach to a function that calls it or that it calls, or by kprobe, which \
                         needs no prototype";

/// That the kernel can call programs at a function with this result.
pub(super) fn check_function(
    config: &Config,
    btf: &Btf,
    target: &Target<'_>,
    result: TypeId,
) -> Checked {
    let function = target.name;
    if CALLED_FOR_PROGRAMS.contains(&function) {
        return Err(refused(without_reason("EINVAL"))
            .label(format!(
                "the kernel calls {function} itself to call programs"
            ))
            .help(ELSEWHERE));
    }
    let at_end = [AttachType::TraceFexit, AttachType::ModifyReturn].contains(&target.attach_type);
    if at_end && ENDLESS.contains(&function) {
        let message = "Attaching fexit/fmod_ret to __noreturn functions is rejected.";
        return Err(refused(message.to_owned())
            .label(format!("{function} never returns"))
            .help("attach to its beginning, by fentry"));
    }
    check_prototype(config, btf, result, target.params).map_err(|words| {
        refused(format!("The function {function} {words}"))
            .label("no program can be called at a function of this type")
            .help(ELSEWHERE)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ctx::attach::Place;
    use ebpf_asm::btf::{IntEncoding, Kind as Type, Linkage};

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
            result_bytes: 0,
            attach_type: AttachType::TraceFexit,
        };
        check_function(&Config::default(), &btf, &target, ret)
    }

    #[test]
    fn programs_are_called_at_functions_of_numbers() {
        assert!(checked("vfs_read", 12).is_ok());
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
        let refused = checked("vfs_read", 13).unwrap_err();
        let words = "The function vfs_read has 13 arguments. Too many.";
        assert_eq!(refused.message, words);
    }
}
