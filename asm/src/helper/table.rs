//! The helper table itself.
//!
//! Sources: `include/uapi/linux/bpf.h` for ids and names, the kernel's history for first
//! releases. Who may call what was observed on Linux 6.18, every helper from every program
//! type and attach type; the rows of `LSM` and `LIRC_MODE2` are from documentation.
//!
//! Read before: `proto.rs`, `callers.rs`.

use super::callers::*;
use super::proto::{Arg, Proto, Ret, proto};
use super::{Helper, helper};
use crate::prog_type::AttachType;

/// Arguments: the context, then numbers.
const CTX: [Arg; 5] = [
    Arg::Ctx,
    Arg::Anything,
    Arg::Anything,
    Arg::Anything,
    Arg::Anything,
];

/// A helper that takes the context and `numbers` numbers, and gives a number.
const fn on_ctx(numbers: usize) -> Proto {
    proto(CTX_ARGS.split_at(numbers + 1).0, Ret::Integer)
}

static CTX_ARGS: &[Arg] = &CTX;

const NUMBER: Proto = proto(&[], Ret::Integer);
const MAP_LOOKUP: Proto = proto(&[Arg::Map, Arg::MapKey], Ret::MapValueOrNull);
const MAP_UPDATE: Proto = proto(
    &[Arg::Map, Arg::MapKey, Arg::MapValue, Arg::Anything],
    Ret::Integer,
)
.writes_map();
const MAP_DELETE: Proto = proto(&[Arg::Map, Arg::MapKey], Ret::Integer).writes_map();
const XDP_ADJUST: Proto = on_ctx(1).moves_packet();
const TRACE_PRINTK: Proto = proto(&[Arg::Mem, Arg::Size], Ret::Integer);
const SKB_STORE_BYTES: Proto = proto(
    &[Arg::Ctx, Arg::Anything, Arg::Mem, Arg::Size, Arg::Anything],
    Ret::Integer,
);
const LOAD_BYTES: Proto = proto(
    &[Arg::Ctx, Arg::Anything, Arg::UninitMem, Arg::Size],
    Ret::Integer,
);
const LOAD_BYTES_RELATIVE: Proto = proto(
    &[
        Arg::Ctx,
        Arg::Anything,
        Arg::UninitMem,
        Arg::Size,
        Arg::Anything,
    ],
    Ret::Integer,
);
const XDP_STORE_BYTES: Proto = proto(
    &[Arg::Ctx, Arg::Anything, Arg::Mem, Arg::Size],
    Ret::Integer,
);
const TAIL_CALL: Proto = proto(&[Arg::Ctx, Arg::Map, Arg::Anything], Ret::Void).leaves_program();
const PERF_EVENT_OUTPUT: Proto = proto(
    &[Arg::Ctx, Arg::Map, Arg::Anything, Arg::Mem, Arg::SizeOrZero],
    Ret::Integer,
);
const CSUM_DIFF: Proto = proto(
    &[
        Arg::MemOrNull,
        Arg::SizeOrZero,
        Arg::MemOrNull,
        Arg::SizeOrZero,
        Arg::Anything,
    ],
    Ret::Integer,
);
const REDIRECT: Proto = proto(&[Arg::Anything, Arg::Anything], Ret::Integer);
const REDIRECT_MAP: Proto = proto(&[Arg::Map, Arg::Anything, Arg::Anything], Ret::Integer);
const FIB_LOOKUP: Proto = proto(
    &[Arg::Ctx, Arg::MemInOut, Arg::Size, Arg::Anything],
    Ret::Integer,
);
const MAP_PUSH: Proto = proto(&[Arg::Map, Arg::MapValue, Arg::Anything], Ret::Integer).writes_map();
const MAP_PEEK: Proto = proto(&[Arg::Map, Arg::UninitMapValue], Ret::Integer);
const MAP_POP: Proto = MAP_PEEK.writes_map();
const RINGBUF_OUTPUT: Proto = proto(
    &[Arg::Map, Arg::Mem, Arg::SizeOrZero, Arg::Anything],
    Ret::Integer,
);
const RINGBUF_QUERY: Proto = proto(&[Arg::Map, Arg::Anything], Ret::Integer);
const PROBE_READ: Proto = proto(
    &[Arg::UninitMem, Arg::SizeOrZero, Arg::Anything],
    Ret::Integer,
);
const GET_CURRENT_COMM: Proto = proto(&[Arg::UninitMem, Arg::Size], Ret::Integer);
const MAP_LOOKUP_PERCPU: Proto = proto(
    &[Arg::Map, Arg::MapKey, Arg::Anything],
    Ret::CpuMapValueOrNull,
);
const RINGBUF_RESERVE: Proto = proto(
    &[Arg::Map, Arg::ConstAllocSize, Arg::Anything],
    Ret::RingbufRecordOrNull,
);
const AS_SOCK: Proto = proto(&[Arg::Sock], Ret::SockOrNull);
const AS_TCP_SOCK: Proto = proto(&[Arg::Sock], Ret::TcpSockOrNull);
const RINGBUF_DONE: Proto = proto(&[Arg::RingbufRecord, Arg::Anything], Ret::Void);

/// All helpers; the id is the index plus one.
#[rustfmt::skip]
pub static HELPERS: [Helper; 211] = [
    helper(1, "map_lookup_elem", (3, 19)).unprivileged().proto(MAP_LOOKUP.takes_packet()),
    helper(2, "map_update_elem", (3, 19)).unprivileged().proto(MAP_UPDATE.takes_packet()),
    helper(3, "map_delete_elem", (3, 19)).unprivileged().proto(MAP_DELETE.takes_packet()),
    helper(4, "probe_read", (4, 1)).from(TRACE.or(SYSCALL)).gpl(),
    helper(5, "ktime_get_ns", (4, 1)).unprivileged().proto(NUMBER),
    helper(6, "trace_printk", (4, 1)).gpl().perfmon().proto(TRACE_PRINTK),
    helper(7, "get_prandom_u32", (4, 1)).unprivileged().proto(NUMBER),
    helper(8, "get_smp_processor_id", (4, 1)).unprivileged().proto(NUMBER),
    helper(9, "skb_store_bytes", (4, 1)).from(TC.or(SK_SKB).or(LWT_XMIT)).proto(SKB_STORE_BYTES.moves_packet()),
    helper(10, "l3_csum_replace", (4, 1)).from(TC.or(LWT_XMIT)).proto(on_ctx(4).moves_packet()),
    helper(11, "l4_csum_replace", (4, 1)).from(TC.or(LWT_XMIT)).proto(on_ctx(4).moves_packet()),
    helper(12, "tail_call", (4, 2)).unprivileged().proto(TAIL_CALL),
    helper(13, "clone_redirect", (4, 2)).from(TC.or(LWT_XMIT)).proto(on_ctx(2).moves_packet()),
    helper(14, "get_current_pid_tgid", (4, 2)).proto(NUMBER),
    helper(15, "get_current_uid_gid", (4, 2)).proto(NUMBER),
    helper(16, "get_current_comm", (4, 2)).perfmon().proto(GET_CURRENT_COMM),
    helper(17, "get_cgroup_classid", (4, 3)),
    helper(18, "skb_vlan_push", (4, 3)).from(TC).proto(on_ctx(2).moves_packet()),
    helper(19, "skb_vlan_pop", (4, 3)).from(TC).proto(on_ctx(0).moves_packet()),
    helper(20, "skb_get_tunnel_key", (4, 3)).from(TC.or(LWT_XMIT)),
    helper(21, "skb_set_tunnel_key", (4, 3)).from(TC.or(LWT_XMIT)),
    helper(22, "perf_event_read", (4, 3)).gpl().perfmon(),
    helper(23, "redirect", (4, 4)).from(TC.or(XDP).or(LWT_XMIT)).proto(REDIRECT),
    helper(24, "get_route_realm", (4, 4)).from(TC.or(LWT)),
    helper(25, "perf_event_output", (4, 4)).from(ALL.without(FLOW_DISSECTOR).without(NETFILTER).without(SK_REUSEPORT)).gpl().proto(PERF_EVENT_OUTPUT),
    helper(26, "skb_load_bytes", (4, 5)).from(TC.or(LWT).or(SOCKET_FILTER).or(CGROUP_SKB).or(SK_SKB).or(SK_REUSEPORT).or(FLOW_DISSECTOR)).unprivileged().proto(LOAD_BYTES),
    helper(27, "get_stackid", (4, 6)).from(TRACE.or(SYSCALL)).gpl_for(ALL.without(PERF_EVENT)),
    helper(28, "csum_diff", (4, 6)).from(TC.or(LWT).or(XDP)).proto(CSUM_DIFF.takes_packet()),
    helper(29, "skb_get_tunnel_opt", (4, 6)).from(TC.or(LWT_XMIT)),
    helper(30, "skb_set_tunnel_opt", (4, 6)).from(TC.or(LWT_XMIT)),
    helper(31, "skb_change_proto", (4, 8)).from(TC).proto(on_ctx(2).moves_packet()),
    helper(32, "skb_change_type", (4, 8)).from(TC).proto(on_ctx(1)),
    helper(33, "skb_under_cgroup", (4, 8)).from(TC.or(LWT)),
    helper(34, "get_hash_recalc", (4, 8)).from(TC.or(LWT)).proto(on_ctx(0)),
    helper(35, "get_current_task", (4, 8)).gpl().perfmon().proto(NUMBER),
    helper(36, "probe_write_user", (4, 8)).from(NONE).gpl(),
    helper(37, "current_task_under_cgroup", (4, 9)),
    helper(38, "skb_change_tail", (4, 9)).from(TC.or(SK_SKB).or(LWT_XMIT)).proto(on_ctx(2).moves_packet()),
    helper(39, "skb_pull_data", (4, 9)).from(TC.or(LWT).or(SK_SKB)).proto(on_ctx(1).moves_packet()),
    helper(40, "csum_update", (4, 9)).from(TC.or(LWT_XMIT)).proto(on_ctx(1)),
    helper(41, "set_hash_invalid", (4, 9)).from(TC.or(LWT_XMIT)).proto(on_ctx(0)),
    helper(42, "get_numa_node_id", (4, 10)).unprivileged().proto(NUMBER),
    helper(43, "skb_change_head", (4, 10)).from(TC.or(SK_SKB).or(LWT_XMIT)).proto(on_ctx(2).moves_packet()),
    helper(44, "xdp_adjust_head", (4, 10)).from(XDP).proto(XDP_ADJUST),
    helper(45, "probe_read_str", (4, 11)).from(TRACE.or(SYSCALL)).gpl(),
    helper(46, "get_socket_cookie", (4, 12)).from(TC.or(SOCKET_FILTER).or(CGROUP_SKB).or(CGROUP_SOCK).or(SOCK_ADDR).or(SOCK_OPS).or(SK_SKB).or(SK_REUSEPORT).or(SYSCALL).or(TRACING)).unprivileged().proto(on_ctx(0)),
    helper(47, "get_socket_uid", (4, 12)).from(TC.or(SOCKET_FILTER).or(CGROUP_SKB).or(SK_SKB)).unprivileged().proto(on_ctx(0)),
    helper(48, "set_hash", (4, 13)).from(TC).proto(on_ctx(1)),
    helper(49, "setsockopt", (4, 13)).from(SOCK_OPS.or(SOCK_ADDR).or(SOCKOPT)).except_at(SOCKOPT, &[AttachType::CgroupGetsockopt]),
    helper(50, "skb_adjust_room", (4, 13)).from(TC.or(SK_SKB)).proto(on_ctx(3).moves_packet()),
    helper(51, "redirect_map", (4, 14)).from(XDP).proto(REDIRECT_MAP),
    helper(52, "sk_redirect_map", (4, 14)).from(SK_SKB),
    helper(53, "sock_map_update", (4, 14)).from(SOCK_OPS),
    helper(54, "xdp_adjust_meta", (4, 15)).from(XDP).proto(XDP_ADJUST),
    helper(55, "perf_event_read_value", (4, 15)).gpl().perfmon(),
    helper(56, "perf_prog_read_value", (4, 15)).from(PERF_EVENT).gpl(),
    helper(57, "getsockopt", (4, 15)).from(SOCK_OPS.or(SOCK_ADDR).or(SOCKOPT)).except_at(SOCKOPT, &[AttachType::CgroupGetsockopt]),
    helper(58, "override_return", (4, 16)).from(NONE).gpl(),
    helper(59, "sock_ops_cb_flags_set", (4, 16)).from(SOCK_OPS),
    helper(60, "msg_redirect_map", (4, 17)).from(SK_MSG),
    helper(61, "msg_apply_bytes", (4, 17)).from(SK_MSG),
    helper(62, "msg_cork_bytes", (4, 17)).from(SK_MSG),
    helper(63, "msg_pull_data", (4, 17)).from(SK_MSG),
    helper(64, "bind", (4, 17)).from(SOCK_ADDR).only_at(CONNECT),
    helper(65, "xdp_adjust_tail", (4, 18)).from(XDP).proto(XDP_ADJUST),
    helper(66, "skb_get_xfrm_state", (4, 18)).from(TC),
    helper(67, "get_stack", (4, 18)).from(TRACE.or(SYSCALL)).gpl(),
    helper(68, "skb_load_bytes_relative", (4, 18)).from(TC.or(SOCKET_FILTER).or(CGROUP_SKB).or(SK_REUSEPORT)).unprivileged().proto(LOAD_BYTES_RELATIVE),
    helper(69, "fib_lookup", (4, 18)).from(TC.or(XDP)).gpl().proto(FIB_LOOKUP),
    helper(70, "sock_hash_update", (4, 18)).from(SOCK_OPS),
    helper(71, "msg_redirect_hash", (4, 18)).from(SK_MSG),
    helper(72, "sk_redirect_hash", (4, 18)).from(SK_SKB),
    helper(73, "lwt_push_encap", (4, 18)).from(LWT_IN.or(LWT_XMIT)),
    helper(74, "lwt_seg6_store_bytes", (4, 18)).from(LWT_SEG6LOCAL),
    helper(75, "lwt_seg6_adjust_srh", (4, 18)).from(LWT_SEG6LOCAL),
    helper(76, "lwt_seg6_action", (4, 18)).from(LWT_SEG6LOCAL),
    helper(77, "rc_repeat", (4, 18)).from(LIRC_MODE2),
    helper(78, "rc_keydown", (4, 18)).from(LIRC_MODE2),
    helper(79, "skb_cgroup_id", (4, 18)).from(TC.or(CGROUP_SKB)),
    helper(80, "get_current_cgroup_id", (4, 18)).proto(NUMBER),
    helper(81, "get_local_storage", (4, 19)).from(CGROUP_SKB.or(CGROUP_SOCK).or(SOCK_ADDR).or(SOCKOPT).or(DEVICE).or(SYSCTL).or(SOCK_OPS)),
    helper(82, "sk_select_reuseport", (4, 19)).from(SK_REUSEPORT),
    helper(83, "skb_ancestor_cgroup_id", (4, 19)).from(TC.or(CGROUP_SKB)),
    helper(84, "sk_lookup_tcp", (4, 20)).from(TC.or(XDP).or(CGROUP_SKB).or(SOCK_ADDR).or(SK_SKB)),
    helper(85, "sk_lookup_udp", (4, 20)).from(TC.or(XDP).or(CGROUP_SKB).or(SOCK_ADDR).or(SK_SKB)),
    helper(86, "sk_release", (4, 20)).from(TC.or(XDP).or(CGROUP_SKB).or(SOCK_ADDR).or(SK_SKB).or(SK_LOOKUP)),
    helper(87, "map_push_elem", (4, 20)).unprivileged().proto(MAP_PUSH.takes_packet()),
    helper(88, "map_pop_elem", (4, 20)).unprivileged().proto(MAP_POP),
    helper(89, "map_peek_elem", (4, 20)).unprivileged().proto(MAP_PEEK),
    helper(90, "msg_push_data", (4, 20)).from(SK_MSG),
    helper(91, "msg_pop_data", (5, 0)).from(SK_MSG),
    helper(92, "rc_pointer_rel", (5, 0)).from(LIRC_MODE2),
    helper(93, "spin_lock", (5, 1)),
    helper(94, "spin_unlock", (5, 1)),
    helper(95, "sk_fullsock", (5, 1)).from(TC.or(CGROUP_SKB)).proto(AS_SOCK),
    helper(96, "tcp_sock", (5, 1)).from(TC.or(CGROUP_SKB).or(SOCKOPT).or(SOCK_OPS)).proto(AS_TCP_SOCK),
    helper(97, "skb_ecn_set_ce", (5, 1)).from(TC.or(CGROUP_SKB)),
    helper(98, "get_listener_sock", (5, 1)).from(TC.or(CGROUP_SKB)).proto(AS_SOCK),
    helper(99, "skc_lookup_tcp", (5, 2)).from(TC.or(XDP).or(CGROUP_SKB).or(SOCK_ADDR).or(SK_SKB)),
    helper(100, "tcp_check_syncookie", (5, 2)).from(TC.or(XDP)).gpl(),
    helper(101, "sysctl_get_name", (5, 2)).from(SYSCTL),
    helper(102, "sysctl_get_current_value", (5, 2)).from(SYSCTL),
    helper(103, "sysctl_get_new_value", (5, 2)).from(SYSCTL),
    helper(104, "sysctl_set_new_value", (5, 2)).from(SYSCTL),
    helper(105, "strtol", (5, 2)),
    helper(106, "strtoul", (5, 2)),
    helper(107, "sk_storage_get", (5, 2)).from(TC.or(CGROUP_SKB).or(CGROUP_SOCK).or(SOCK_ADDR).or(SOCKOPT).or(SOCK_OPS).or(SK_MSG).or(SYSCALL).or(TRACING)),
    helper(108, "sk_storage_delete", (5, 2)).from(TC.or(CGROUP_SKB).or(SOCK_ADDR).or(SOCKOPT).or(SOCK_OPS).or(SK_MSG).or(SYSCALL).or(TRACING)),
    helper(109, "send_signal", (5, 3)).perfmon(),
    helper(110, "tcp_gen_syncookie", (5, 3)).from(TC.or(XDP)).gpl(),
    helper(111, "skb_output", (5, 5)).from(SYSCALL.or(TRACING)).gpl(),
    helper(112, "probe_read_user", (5, 5)).gpl().perfmon(),
    helper(113, "probe_read_kernel", (5, 5)).gpl().perfmon().proto(PROBE_READ),
    helper(114, "probe_read_user_str", (5, 5)).gpl().perfmon(),
    helper(115, "probe_read_kernel_str", (5, 5)).gpl().perfmon(),
    helper(116, "tcp_send_ack", (5, 5)).from(STRUCT_OPS),
    helper(117, "send_signal_thread", (5, 5)).perfmon(),
    helper(118, "jiffies64", (5, 5)).proto(NUMBER),
    helper(119, "read_branch_records", (5, 6)).from(PERF_EVENT).gpl(),
    helper(120, "get_ns_current_pid_tgid", (5, 6)),
    helper(121, "xdp_output", (5, 6)).from(SYSCALL.or(TRACING)).gpl(),
    helper(122, "get_netns_cookie", (5, 6)).from(TC.or(SOCKET_FILTER).or(CGROUP_SKB).or(CGROUP_SOCK).or(SOCK_ADDR).or(SOCKOPT).or(SOCK_OPS).or(SK_MSG)),
    helper(123, "get_current_ancestor_cgroup_id", (5, 6)),
    helper(124, "sk_assign", (5, 6)).from(TC.or(SK_LOOKUP)),
    helper(125, "ktime_get_boot_ns", (5, 7)).unprivileged().proto(NUMBER),
    helper(126, "seq_printf", (5, 7)).from(TRACING).only_at(&[AttachType::TraceIter]).gpl(),
    helper(127, "seq_write", (5, 7)).from(TRACING).only_at(&[AttachType::TraceIter]).gpl(),
    helper(128, "sk_cgroup_id", (5, 7)).from(CGROUP_SKB),
    helper(129, "sk_ancestor_cgroup_id", (5, 7)).from(CGROUP_SKB),
    helper(130, "ringbuf_output", (5, 8)).unprivileged().proto(RINGBUF_OUTPUT),
    helper(131, "ringbuf_reserve", (5, 8)).unprivileged().proto(RINGBUF_RESERVE),
    helper(132, "ringbuf_submit", (5, 8)).unprivileged().proto(RINGBUF_DONE),
    helper(133, "ringbuf_discard", (5, 8)).unprivileged().proto(RINGBUF_DONE),
    helper(134, "ringbuf_query", (5, 8)).unprivileged().proto(RINGBUF_QUERY),
    helper(135, "csum_level", (5, 7)).from(TC.or(LWT_XMIT)),
    helper(136, "skc_to_tcp6_sock", (5, 9)).from(SOCKETS.or(TRACING)).perfmon_for(ALL.without(SYSCALL)),
    helper(137, "skc_to_tcp_sock", (5, 9)).from(SOCKETS.or(TRACING)).perfmon_for(ALL.without(SYSCALL)),
    helper(138, "skc_to_tcp_timewait_sock", (5, 9)).from(SOCKETS.or(TRACING)).perfmon_for(ALL.without(SYSCALL)),
    helper(139, "skc_to_tcp_request_sock", (5, 9)).from(SOCKETS.or(TRACING)).perfmon_for(ALL.without(SYSCALL)),
    helper(140, "skc_to_udp6_sock", (5, 9)).from(SOCKETS.or(TRACING)).perfmon_for(ALL.without(SYSCALL)),
    helper(141, "get_task_stack", (5, 9)).perfmon(),
    helper(142, "load_hdr_opt", (5, 10)).from(SOCK_OPS),
    helper(143, "store_hdr_opt", (5, 10)).from(SOCK_OPS),
    helper(144, "reserve_hdr_opt", (5, 10)).from(SOCK_OPS),
    helper(145, "inode_storage_get", (5, 10)).from(LSM),
    helper(146, "inode_storage_delete", (5, 10)).from(LSM),
    helper(147, "d_path", (5, 10)).from(SYSCALL.or(TRACING)),
    helper(148, "copy_from_user", (5, 10)).perfmon().sleeps(),
    helper(149, "snprintf_btf", (5, 10)).perfmon(),
    helper(150, "seq_printf_btf", (5, 10)).from(TRACING).only_at(&[AttachType::TraceIter]).gpl(),
    helper(151, "skb_cgroup_classid", (5, 10)).from(TC),
    helper(152, "redirect_neigh", (5, 10)).from(TC),
    helper(153, "per_cpu_ptr", (5, 10)),
    helper(154, "this_cpu_ptr", (5, 10)),
    helper(155, "redirect_peer", (5, 10)).from(TC),
    helper(156, "task_storage_get", (5, 11)),
    helper(157, "task_storage_delete", (5, 11)),
    helper(158, "get_current_task_btf", (5, 11)).gpl().perfmon(),
    helper(159, "bprm_opts_set", (5, 11)).from(LSM),
    helper(160, "ktime_get_coarse_ns", (5, 11)).from(NETWORK).proto(NUMBER),
    helper(161, "ima_inode_hash", (5, 11)).from(LSM),
    helper(162, "sock_from_file", (5, 11)).from(SYSCALL.or(TRACING)),
    helper(163, "check_mtu", (5, 12)).from(TC.or(XDP)).gpl(),
    helper(164, "for_each_map_elem", (5, 13)),
    helper(165, "snprintf", (5, 13)).gpl().perfmon(),
    helper(166, "sys_bpf", (5, 14)).from(SYSCALL).perfmon(),
    helper(167, "btf_find_by_name_kind", (5, 14)).from(SYSCALL),
    helper(168, "sys_close", (5, 14)).from(SYSCALL),
    helper(169, "timer_init", (5, 15)).gpl(),
    helper(170, "timer_set_callback", (5, 15)).gpl(),
    helper(171, "timer_start", (5, 15)).gpl(),
    helper(172, "timer_cancel", (5, 15)).gpl(),
    helper(173, "get_func_ip", (5, 15)).from(TRACE.or(TRACING).or(SYSCALL)).gpl(),
    helper(174, "get_attach_cookie", (5, 15)).from(TRACE.or(TRACING)).except_at(TRACING, &[AttachType::TraceIter]),
    helper(175, "task_pt_regs", (5, 16)).gpl().perfmon(),
    helper(176, "get_branch_snapshot", (5, 16)).gpl().perfmon(),
    helper(177, "trace_vprintk", (5, 16)).gpl().perfmon(),
    helper(178, "skc_to_unix_sock", (5, 16)).from(SOCKETS.or(TRACING)).perfmon_for(ALL.without(SYSCALL)),
    helper(179, "kallsyms_lookup_name", (5, 17)).from(SYSCALL),
    helper(180, "find_vma", (5, 17)).perfmon(),
    helper(181, "loop", (5, 17)),
    helper(182, "strncmp", (5, 17)),
    helper(183, "get_func_arg", (5, 17)).from(TRACING).only_at(TRAMPOLINES),
    helper(184, "get_func_ret", (5, 17)).from(TRACING).only_at(TRAMPOLINES),
    helper(185, "get_func_arg_cnt", (5, 18)).from(TRACING).only_at(TRAMPOLINES),
    helper(186, "get_retval", (5, 18)).from(CGROUP).except_at(CGROUP, NO_RETVAL),
    helper(187, "set_retval", (5, 18)).from(CGROUP).except_at(CGROUP, NO_RETVAL),
    helper(188, "xdp_get_buff_len", (5, 18)).from(XDP.or(SYSCALL).or(TRACING)).proto(on_ctx(0)),
    helper(189, "xdp_load_bytes", (5, 18)).from(XDP).proto(LOAD_BYTES),
    helper(190, "xdp_store_bytes", (5, 18)).from(XDP).proto(XDP_STORE_BYTES),
    helper(191, "copy_from_user_task", (5, 18)).gpl().perfmon().sleeps(),
    helper(192, "skb_set_tstamp", (5, 18)).from(TC),
    helper(193, "ima_file_hash", (5, 19)).from(LSM),
    helper(194, "kptr_xchg", (5, 19)),
    helper(195, "map_lookup_percpu_elem", (5, 19)).proto(MAP_LOOKUP_PERCPU.takes_packet()),
    helper(196, "skc_to_mptcp_sock", (5, 19)).from(SOCKETS.or(TRACING)).perfmon_for(ALL.without(SYSCALL)),
    helper(197, "dynptr_from_mem", (5, 19)),
    helper(198, "ringbuf_reserve_dynptr", (5, 19)),
    helper(199, "ringbuf_submit_dynptr", (5, 19)),
    helper(200, "ringbuf_discard_dynptr", (5, 19)),
    helper(201, "dynptr_read", (5, 19)),
    helper(202, "dynptr_write", (5, 19)),
    helper(203, "dynptr_data", (5, 19)),
    helper(204, "tcp_raw_gen_syncookie_ipv4", (6, 0)).from(TC.or(XDP)).gpl(),
    helper(205, "tcp_raw_gen_syncookie_ipv6", (6, 0)).from(TC.or(XDP)).gpl(),
    helper(206, "tcp_raw_check_syncookie_ipv4", (6, 0)).from(TC.or(XDP)).gpl(),
    helper(207, "tcp_raw_check_syncookie_ipv6", (6, 0)).from(TC.or(XDP)).gpl(),
    helper(208, "ktime_get_tai_ns", (6, 1)).proto(NUMBER),
    helper(209, "user_ringbuf_drain", (6, 1)),
    helper(210, "cgrp_storage_get", (6, 2)),
    helper(211, "cgrp_storage_delete", (6, 2)),
];
