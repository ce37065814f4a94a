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

/// Whether a helper does not work at a function, to which a program is attached so, or in a program
/// that is at none.
pub(super) fn bars(at: Option<(Place, &str, AttachType)>, helper: &str) -> bool {
    let Some((place, function, attach_type)) = at else {
        return ["sk_storage_get", "sk_storage_delete", "d_path"].contains(&helper);
    };
    match (helper, place) {
        ("sk_storage_get" | "sk_storage_delete", Place::Function) => {
            attach_type == AttachType::ModifyReturn || function.starts_with(SOCKET_STORAGE)
        }
        ("d_path", Place::Tracepoint) => true,
        ("d_path", Place::Function) => !PATHS_NAMED.contains(&function),
        ("d_path" | "ima_inode_hash" | "ima_file_hash", Place::SecurityHook) => {
            !hook::may_sleep(function)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn helpers_are_barred_by_where_a_program_is() {
        let at_function = |function, attach_type, helper| {
            bars(Some((Place::Function, function, attach_type)), helper)
        };
        let (entry, change) = (AttachType::TraceFentry, AttachType::ModifyReturn);
        assert!(!at_function("vfs_truncate", entry, "d_path"));
        assert!(at_function("vfs_read", entry, "d_path"));
        assert!(!at_function("tcp_sendmsg", entry, "sk_storage_get"));
        assert!(at_function("bpf_sk_storage_free", entry, "sk_storage_get"));
        assert!(at_function("security_file_open", change, "sk_storage_get"));
        assert!(bars(None, "sk_storage_get") && !bars(None, "ima_file_hash"));
    }
}
