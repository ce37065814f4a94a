//! Helpers that work only at some places of the kernel: what programs of the right type are told
//! elsewhere.
//!
//! Observed: on Linux 6.18 at tracepoints, iterators and in `syscall` programs; on 6.12, where
//! every function and every hook was asked, at these, since 6.18 loads no such programs here.
//!
//! Read before: `ctx/hook.rs`. Read next: `ctx/operation.rs`.

use super::attach::Place;
use super::hook;

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

/// Whether a helper does not work at a function, or in a program that is at none.
pub(super) fn bars(at: Option<(Place, &str)>, helper: &str) -> bool {
    match (helper, at) {
        ("sk_storage_get" | "sk_storage_delete" | "d_path", None) => true,
        ("sk_storage_get" | "sk_storage_delete", Some((Place::Function, function))) => {
            function.starts_with(SOCKET_STORAGE)
        }
        ("d_path", Some((Place::Tracepoint, _))) => true,
        ("d_path", Some((Place::Function, function))) => !PATHS_NAMED.contains(&function),
        ("d_path" | "ima_inode_hash" | "ima_file_hash", Some((Place::SecurityHook, function))) => {
            !hook::may_sleep(function)
        }
        _ => false,
    }
}
