//! Arguments of tracepoints and iterators that are not what their types say: those that may be
//! null, are not trusted, or are buffers.
//!
//! Observed on Linux 6.18: every argument of every tracepoint and iterator.
//!
//! Read before: `ctx/attach.rs`. Read next: `ctx/traced.rs`.

use super::attach::{Place, Target};
use super::{hook, operation};
use crate::value::btf_ptr::Marks;
use crate::value::reg::{BufferUse, Kind, Null};

/// What an iterator hands over as an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Given {
    /// A pointer to a structure.
    Structure(Marks, Null),
    /// A buffer, or null.
    Buffer(Kind),
}

/// An iterator, and the arguments after the first, which is the iteration itself.
struct Iterator {
    name: &'static str,
    arguments: &'static [Option<Given>],
    options: Options,
}

/// Whether programs may ask for and set options of the socket that an iterator is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Options {
    No,
    Yes,
}

/// What the iteration is at, unless it is at its end.
const TRUSTED: Option<Given> = Some(Given::Structure(Marks::TRUSTED, Null::Maybe));
/// The same, which may only be looked at.
const PLAIN: Option<Given> = Some(Given::Structure(Marks::NONE, Null::Maybe));
/// As the type says.
const AS_TYPED: Option<Given> = None;
const READ: Option<Given> = Some(Given::Buffer(Kind::Buffer(BufferUse::Read)));
const WRITTEN: Option<Given> = Some(Given::Buffer(Kind::Buffer(BufferUse::Write)));

/// The iterators that there are.
#[rustfmt::skip]
const ITERATORS: &[Iterator] = &[
    Iterator { name: "bpf_link", arguments: &[PLAIN], options: Options::No },
    Iterator { name: "bpf_map", arguments: &[TRUSTED], options: Options::No },
    Iterator { name: "bpf_map_elem", arguments: &[AS_TYPED, READ, WRITTEN], options: Options::No },
    Iterator { name: "bpf_prog", arguments: &[PLAIN], options: Options::No },
    Iterator { name: "bpf_sk_storage_map", arguments: &[AS_TYPED, PLAIN, WRITTEN], options: Options::No },
    Iterator { name: "cgroup", arguments: &[TRUSTED], options: Options::No },
    Iterator { name: "dmabuf", arguments: &[PLAIN], options: Options::No },
    Iterator { name: "ipv6_route", arguments: &[PLAIN], options: Options::No },
    Iterator { name: "kmem_cache", arguments: &[TRUSTED], options: Options::No },
    Iterator { name: "ksym", arguments: &[PLAIN], options: Options::No },
    Iterator { name: "netlink", arguments: &[PLAIN], options: Options::No },
    Iterator { name: "sockmap", arguments: &[AS_TYPED, READ, PLAIN], options: Options::No },
    Iterator { name: "task", arguments: &[TRUSTED], options: Options::No },
    Iterator { name: "task_file", arguments: &[PLAIN, AS_TYPED, PLAIN], options: Options::No },
    Iterator { name: "task_vma", arguments: &[PLAIN, PLAIN], options: Options::No },
    Iterator { name: "tcp", arguments: &[TRUSTED], options: Options::Yes },
    Iterator { name: "udp", arguments: &[TRUSTED], options: Options::No },
    Iterator { name: "unix", arguments: &[PLAIN], options: Options::Yes },
];

/// What functions of iterators are called, before the iterator's own name.
const ITERATOR_PREFIX: &str = "bpf_iter_";

/// Whether a function of the kernel is one that stands for an iterator.
pub(super) fn is_iterator(function: &str) -> bool {
    iterator(function).is_some()
}

fn iterator(function: &str) -> Option<&'static Iterator> {
    let name = function.strip_prefix(ITERATOR_PREFIX)?;
    ITERATORS.iter().find(|iterator| iterator.name == name)
}

/// Whether a program there may ask for and set options of sockets.
pub(super) fn has_socket_options(target: &Target<'_>) -> bool {
    match target.place {
        Place::Iterator => {
            iterator(target.name).is_some_and(|iterator| iterator.options == Options::Yes)
        }
        Place::SecurityHook => hook::has_socket_options(target.name),
        _ => false,
    }
}

/// What the target's iterator hands over as an argument; `None` if just what its type says.
pub(super) fn iterator_argument(target: &Target<'_>, index: usize) -> Option<Given> {
    if target.place != Place::Iterator {
        return None;
    }
    let behind_first = index.checked_sub(1)?;
    *iterator(target.name)?.arguments.get(behind_first)?
}

/// The arguments of tracepoints that may be null.
#[rustfmt::skip]
const NULLABLE: &[(&str, &[usize])] = &[
    ("break_lease_block", &[1]),
    ("break_lease_noblock", &[1]),
    ("break_lease_unblock", &[1]),
    ("ext4_mballoc_discard", &[1]),
    ("ext4_mballoc_free", &[1]),
    ("fcntl_setlk", &[1]),
    ("fib_table_lookup", &[2]),
    ("flock_lock_inode", &[1]),
    ("folio_wait_writeback", &[1]),
    ("generic_delete_lease", &[1]),
    ("hugetlbfs_alloc_inode", &[1]),
    ("kfree_skb", &[3]),
    ("locks_remove_posix", &[1]),
    ("mm_collapse_huge_page_isolate", &[0]),
    ("mm_khugepaged_collapse_file", &[1]),
    ("mm_khugepaged_scan_file", &[1]),
    ("mm_khugepaged_scan_pmd", &[1]),
    ("mm_page_alloc", &[0]),
    ("mm_page_alloc_zone_locked", &[0]),
    ("mm_page_pcpu_drain", &[0]),
    ("posix_lock_inode", &[1]),
    ("qdisc_dequeue", &[3]),
    ("sched_pi_setprio", &[1]),
    ("sched_stick_numa", &[2]),
    ("sched_swap_numa", &[2]),
    ("tcp_send_reset", &[0, 1]),
    ("tcp_sendmsg_locked", &[2]),
    ("time_out_leases", &[1]),
    ("tmigr_update_events", &[0]),
    ("writeback_dirty_folio", &[1]),
    ("xfs_blockgc_flush_all", &[0]),
    ("xfs_blockgc_free_space", &[1]),
    ("xfs_blockgc_start", &[0]),
    ("xfs_blockgc_stop", &[0]),
    ("xfs_blockgc_worker", &[0]),
    ("xfs_btree_overlapped_query_range", &[2]),
    ("xfs_btree_updkeys", &[2]),
    ("xfs_defer_add_item", &[0]),
    ("xfs_defer_cancel_item", &[0]),
    ("xfs_defer_cancel_list", &[0]),
    ("xfs_defer_create_intent", &[0]),
    ("xfs_defer_finish_item", &[0]),
    ("xfs_defer_isolate_paused", &[0]),
    ("xfs_defer_item_pause", &[0]),
    ("xfs_defer_item_unpause", &[0]),
    ("xfs_defer_pending_abort", &[0]),
    ("xfs_defer_pending_finish", &[0]),
    ("xfs_defer_relog_intent", &[0]),
    ("xfs_fs_sync_fs", &[0]),
    ("xfs_inodegc_flush", &[0]),
    ("xfs_inodegc_push", &[0]),
    ("xfs_inodegc_queue", &[0]),
    ("xfs_inodegc_start", &[0]),
    ("xfs_inodegc_stop", &[0]),
    ("xfs_inodegc_throttle", &[0]),
    ("xfs_ioc_free_eofblocks", &[1]),
    ("xfs_map_blocks_alloc", &[4]),
    ("xfs_map_blocks_found", &[4]),
];

/// Whether an argument of the target may be null, although its type does not say so.
pub(super) fn may_be_null(target: &Target<'_>, index: usize) -> bool {
    let row = NULLABLE.iter().find(|(name, _)| *name == target.name);
    if let Place::Operation(_) = target.place {
        return operation::may_be_null(target.name, index);
    }
    target.place == Place::Tracepoint && row.is_some_and(|(_, nullable)| nullable.contains(&index))
}
