//! Helpers that work only at some places of the kernel: what programs of the right type are told
//! elsewhere.
//!
//! Observed: on Linux 6.18 at tracepoints, iterators and in `syscall` programs; at functions and
//! hooks, of which every one was asked, on 6.12.
//!
//! Read before: `ctx/hook.rs`. Read next: `ctx/operation.rs`.

use super::attach::Place;
use super::hook;
use ebpf_asm::prog_type::AttachType;

/// Functions at which a path may be named: nothing that naming takes is held there.
const PATHS_NAMED: &[&str] = &[
    "dentry_open",
    "filp_close",
    "security_file_open",
    "security_file_permission",
    "security_inode_getattr",
    "security_path_truncate",
    "vfs_fallocate",
    "vfs_getattr",
    "vfs_truncate",
];

/// What the functions are called that keep what programs store in sockets.
const SOCKET_STORAGE: &str = "bpf_sk_storage";

/// Where paths can be named.
const NAME_PATHS: &str = "bpf_d_path works at few functions only (vfs_truncate, vfs_fallocate, \
                          dentry_open, vfs_getattr, filp_close), at hooks of lsm that may sleep, \
                          and in iterators";

/// What to do where a helper does not work at a function, to which a program is attached so, or in
/// a program that is at none; nothing where it works.
pub(super) fn bars(at: Option<(Place, &str, AttachType)>, helper: &str) -> Option<&'static str> {
    let (barred, help) = match (helper, at) {
        ("sk_storage_get" | "sk_storage_delete", None) => (
            true,
            "call it in a program that is attached to a function, as fentry",
        ),
        (
            "sk_storage_get" | "sk_storage_delete",
            Some((Place::Function, function, attach_type)),
        ) => match attach_type {
            AttachType::ModifyReturn => (
                true,
                "programs of fmod_ret have no storage of sockets: use fentry or fexit",
            ),
            _ => (
                function.starts_with(SOCKET_STORAGE),
                "attach the program elsewhere: the function that it is at is what the helper \
                 itself goes through",
            ),
        },
        ("d_path", None | Some((Place::Tracepoint, ..))) => (true, NAME_PATHS),
        ("d_path", Some((Place::Function, function, _))) => {
            (!PATHS_NAMED.contains(&function), NAME_PATHS)
        }
        ("d_path", Some((Place::SecurityHook, function, _))) => {
            (!hook::may_sleep(function), NAME_PATHS)
        }
        ("ima_inode_hash" | "ima_file_hash", Some((Place::SecurityHook, function, _))) => (
            !hook::may_sleep(function),
            "attach the program to a hook at which programs may sleep, as lsm.s/file_open",
        ),
        _ => return None,
    };
    barred.then_some(help)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn helpers_are_barred_by_where_a_program_is() {
        let at_function = |function, attach_type, helper| {
            bars(Some((Place::Function, function, attach_type)), helper).is_some()
        };
        let (entry, change) = (AttachType::TraceFentry, AttachType::ModifyReturn);
        assert!(!at_function("vfs_truncate", entry, "d_path"));
        assert!(at_function("vfs_read", entry, "d_path"));
        assert!(!at_function("tcp_sendmsg", entry, "sk_storage_get"));
        assert!(at_function("bpf_sk_storage_free", entry, "sk_storage_get"));
        assert!(at_function("security_file_open", change, "sk_storage_get"));
        let reason = |function, attach_type, helper| {
            bars(Some((Place::Function, function, attach_type)), helper)
        };
        let (there, elsewhere) = ("bpf_sk_storage_free", "security_file_open");
        let itself = reason(there, entry, "sk_storage_get");
        assert_ne!(itself, reason(elsewhere, change, "sk_storage_get"));
        assert_ne!(itself, reason("vfs_read", entry, "d_path"));
        assert_ne!(itself, bars(None, "sk_storage_get"));
        assert!(bars(None, "sk_storage_get").is_some());
        assert_eq!(bars(None, "ima_file_hash"), None);
    }
}
