//! Hooks of the security modules (LSM): which are open to programs, where these may sleep, which
//! arguments are not trusted, and what programs may answer.
//!
//! The kernel's types do not show it. Observed on Linux 6.12, where every hook was asked;
//! 6.18 was not, since kernels that are locked down load no such programs. Described in
//! `Documentation/bpf/prog_lsm.rst`.
//!
//! Read before: `ctx/traced.rs`. Read next: `ctx/probe.rs`.

use super::attach::refused;
use crate::call::callable::{DECLARE_LICENSE, is_gpl_compatible};
use crate::call::result::MAX_ERRNO;
use crate::codes::Code;
use crate::diag::{Checked, Rejection};
use ebpf_asm::btf::TypeId;
use ebpf_asm::helper::Sleeps;
use ebpf_asm::isa::KernelVersion;
use std::ops::RangeInclusive;

/// The release that was asked.
pub(super) const ASKED: KernelVersion = (6, 12);

/// The release that was the first to look at what programs answer.
pub(crate) const ANSWERS_CHECKED: KernelVersion = (6, 12);

/// What the functions that stand for hooks are called, before the hook's own name.
pub(super) const PREFIX: &str = "bpf_lsm_";

/// Functions of that name that stand for no hook.
const NO_HOOKS: &[&str] = &[
    "find_cgroup_shim",
    "func_proto",
    "get_retval_range",
    "init",
    "is_sleepable_hook",
    "is_trusted",
    "verify_prog",
];

/// Hooks that are closed to programs: they answer by more than a number.
const CLOSED: &[&str] = &[
    "audit_rule_match",
    "getprocattr",
    "getselfattr",
    "inode_copy_up_xattr",
    "inode_getsecurity",
    "inode_listsecurity",
    "inode_need_killpriv",
    "ismaclabel",
    "key_getsecurity",
    "setprocattr",
    "vm_enough_memory",
    "xfrm_decode_session",
];

/// Hooks where programs may sleep.
#[rustfmt::skip]
const SLEEPABLE: &[&str] = &[
    "bpf", "bpf_map", "bpf_map_create", "bpf_map_free", "bpf_prog", "bpf_prog_free",
    "bpf_prog_load", "bpf_token_capable", "bpf_token_cmd", "bpf_token_create", "bpf_token_free",
    "bprm_check_security", "bprm_committed_creds", "bprm_committing_creds", "bprm_creds_for_exec",
    "bprm_creds_from_file", "capget", "capset", "cred_prepare", "current_getsecid_subj",
    "file_ioctl", "file_lock", "file_open", "file_post_open", "file_receive", "inode_create",
    "inode_free_security", "inode_getattr", "inode_getxattr", "inode_mknod", "inode_post_setxattr",
    "inode_readlink", "inode_rename", "inode_rmdir", "inode_setattr", "inode_setxattr",
    "inode_symlink", "inode_unlink", "kernel_module_request", "kernel_read_file",
    "kernfs_init_security", "mmap_file", "netlink_send", "path_chmod", "path_chown", "path_link",
    "path_mkdir", "path_notify", "path_rename", "path_rmdir", "path_symlink", "path_truncate",
    "path_unlink", "release_secctx", "sb_alloc_security", "sb_eat_lsm_opts", "sb_kern_mount",
    "sb_mount", "sb_remount", "sb_set_mnt_opts", "sb_show_options", "sb_statfs", "sb_umount",
    "settime", "socket_accept", "socket_bind", "socket_connect", "socket_create",
    "socket_getpeername", "socket_getpeersec_dgram", "socket_getsockname", "socket_getsockopt",
    "socket_listen", "socket_post_create", "socket_recvmsg", "socket_sendmsg", "socket_shutdown",
    "socket_socketpair", "syslog", "task_alloc", "task_getsecid_obj", "task_prctl",
    "task_setscheduler", "userns_create",
];

/// Hooks at which structures begin or end, so that pointers to them are not trusted.
const UNTRUSTED: &[&str] = &[
    "bpf_map_free",
    "bpf_prog_free",
    "file_alloc_security",
    "file_free_security",
    "sk_alloc_security",
    "sk_free_security",
    "task_free",
];

/// Hooks at which programs of a control group may ask for and set options of the socket.
const SOCKET_OPTIONS: &[&str] = &[
    "inet_conn_established",
    "inet_csk_clone",
    "sock_graft",
    "socket_post_create",
    "socket_socketpair",
];

/// Hooks that answer yes or no.
const QUESTIONS: &[&str] = &[
    "audit_rule_known",
    "inode_xattr_skipcap",
    "xfrm_state_pol_flow_match",
];

/// What a hook answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Nothing.
    Nothing,
    /// 0 or 1.
    YesOrNo,
    /// 0, or an error.
    Error,
}

impl Answer {
    /// The numbers that answer.
    pub(crate) fn numbers(self) -> Option<RangeInclusive<i64>> {
        match self {
            Answer::Nothing => None,
            Answer::YesOrNo => Some(0..=1),
            Answer::Error => Some(-MAX_ERRNO..=0),
        }
    }
}

/// That programs can be attached to the hook that a function stands for.
pub(super) fn check_hook(id: TypeId, function: &str, sleeps: Sleeps, license: &str) -> Checked {
    if sleeps == Sleeps::Maybe && !may_sleep(function) {
        return Err(refused(format!("{function} is not sleepable"))
            .label("the kernel calls this hook where nothing may sleep")
            .help("load the program without BPF_F_SLEEPABLE: as `lsm/`, not `lsm.s/`"));
    }
    if !is_gpl_compatible(license) {
        let message = "LSM programs must have a GPL compatible license";
        return Err(Rejection::new(Code::GplOnly, message)
            .label(format!("the license is '{license}'"))
            .help(DECLARE_LICENSE));
    }
    let refuse = |why| {
        let id = id.0;
        refused(format!("attach_btf_id {id} points to {why} {function}"))
    };
    let Some(hook) = hook(function).filter(|hook| !NO_HOOKS.contains(hook)) else {
        return Err(refuse("wrong type name")
            .label("this is no hook of the security modules")
            .help("name a hook without its prefix bpf_lsm_, as in lsm/file_open"));
    };
    match CLOSED.contains(&hook) {
        true => Err(refuse("disabled hook")
            .label("the kernel keeps programs from this hook: it answers by more than a number")
            .help("attach to another hook of the same event, or trace it by fexit")),
        false => Ok(()),
    }
}

/// Whether programs may sleep at the hook that a function stands for.
pub(super) fn may_sleep(function: &str) -> bool {
    hook(function).is_some_and(|hook| SLEEPABLE.contains(&hook))
}

/// Whether pointers among the arguments of a hook are trusted.
pub(super) fn is_trusted(function: &str) -> bool {
    !hook(function).is_some_and(|hook| UNTRUSTED.contains(&hook))
}

/// Whether programs of a control group may ask for and set options of sockets at a hook.
pub(super) fn has_socket_options(function: &str) -> bool {
    hook(function).is_some_and(|hook| SOCKET_OPTIONS.contains(&hook))
}

/// What the hook answers that a function of this result stands for.
pub(super) fn answer(function: &str, result: Option<TypeId>) -> Answer {
    match hook(function) {
        _ if result.is_none() => Answer::Nothing,
        Some(hook) if QUESTIONS.contains(&hook) => Answer::YesOrNo,
        _ => Answer::Error,
    }
}

fn hook(function: &str) -> Option<&str> {
    function.strip_prefix(PREFIX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hooks_are_told_from_what_is_called_like_them() {
        let checked = |function, sleeps| check_hook(TypeId(1), function, sleeps, "GPL").is_ok();
        assert!(checked("bpf_lsm_file_open", Sleeps::Maybe));
        assert!(checked("bpf_lsm_task_free", Sleeps::Never));
        assert!(!checked("bpf_lsm_task_free", Sleeps::Maybe));
        assert!(!checked("bpf_lsm_getprocattr", Sleeps::Never));
        assert!(!checked("bpf_lsm_verify_prog", Sleeps::Never));
        assert!(!checked("vfs_read", Sleeps::Never));
    }

    #[test]
    fn programs_of_other_licenses_are_at_no_hook() {
        let refused = check_hook(TypeId(1), "bpf_lsm_file_open", Sleeps::Never, "MIT");
        assert_eq!(refused.unwrap_err().code, Code::GplOnly);
    }

    #[test]
    fn each_hook_answers_in_its_way() {
        let int = Some(TypeId(1));
        assert_eq!(answer("bpf_lsm_task_free", None), Answer::Nothing);
        assert_eq!(answer("bpf_lsm_inode_xattr_skipcap", int), Answer::YesOrNo);
        assert_eq!(answer("bpf_lsm_file_open", int), Answer::Error);
        assert!(!is_trusted("bpf_lsm_task_free") && is_trusted("bpf_lsm_file_open"));
    }
}
