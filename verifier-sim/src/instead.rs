//! What older kernels have in the place of what they are too old for: one table, for messages.
//!
//! Sources: bpf-helpers(7), the kernel's documentation and change logs as `since.rs` has them. A
//! release in brackets is the first that has the older form.
//!
//! Read before: `since.rs`. Read next: `map_create.rs`.

use ebpf_asm::isa::Row;
use ebpf_asm::map_type::MapType;
use ebpf_asm::prog_type::{AttachType, ProgType};

/// What a kernel may be too old for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Newer<'a> {
    /// A helper, by its name without `bpf_`.
    Helper(&'a str),
    /// A function of the kernel; in the table one of a name that begins so.
    Kfunc(&'a str),
    /// An instruction, by its form, or where there is but one by the name of its operation.
    Insn(&'a str),
    /// Programs of a type.
    ProgType(ProgType),
    /// Maps of a type.
    MapType(MapType),
    /// Programs for an attach type.
    AttachType(AttachType),
}

use Newer::{Helper, Insn, Kfunc};

const fn programs(prog_type: ProgType) -> Newer<'static> {
    Newer::ProgType(prog_type)
}

const fn maps(map_type: MapType) -> Newer<'static> {
    Newer::MapType(map_type)
}

const fn attached(attach_type: AttachType) -> Newer<'static> {
    Newer::AttachType(attach_type)
}

/// What to use instead of each.
#[rustfmt::skip]
const INSTEAD: &[(&[Newer<'static>], &str)] = &[
    // Instructions.
    (&[Insn("JCOND")], "count the rounds in a register, and leave the loop at a constant number (Linux 5.3), or unroll it"),
    (&[Insn("GOTOX")], "compare, and jump to each target by a conditional jump"),
    (&[Insn("MOVSX"), Insn("LDXSX")], "shift left and then arithmetically right, as in r1 <<= 56, r1 s>>= 56; a compiler does so with -mcpu=v3, `ebpfasm build` for this --kernel"),
    (&[Insn("SDIV"), Insn("SMOD")], "divide the absolute values, and give the result its sign"),
    (&[Insn("BSWAP")], "swap with r1 = be16 r1 and the like, which leave the bytes as they are on big-endian machines"),
    (&[Insn("32-bit distance")], "jump by goto in steps of at most 32767 instructions; a compiler does so with -mcpu=v3"),
    (&[Insn("more than plain addition")], "only the plain addition `lock *(u64 *)(r1 + 0) += r2` is older: keep a value for each CPU (per-CPU maps, Linux 4.6), or change it under bpf_spin_lock (Linux 5.1)"),
    (&[Insn("LOAD_ACQ"), Insn("STORE_REL")], "use an atomic operation that fetches (Linux 5.12), which is ordered on both sides"),
    (&[Insn("32-bit shift")], "shift with 64 bits: r1 <<= 32, r1 s>>= 32 and then by the count"),
    (&[Insn("32-bit comparison")], "compare with 64 bits; a compiler does so with -mcpu=v2, `ebpfasm build` for this --kernel"),
    (&[Insn("function of the kernel")], "use a helper: functions of the kernel are not called by older ones"),
    (&[Insn("address of a function")], "write the loop out: older kernels call nothing back"),
    (&[Insn("value of a map by file descriptor"), Insn("value of a map by index")], "look the value up with bpf_map_lookup_elem, in an array of one element"),
    // Loops and callbacks.
    (&[Helper("loop")], "write a loop that ends at a constant number of rounds (Linux 5.3), or unroll it"),
    (&[Helper("for_each_map_elem")], "look up the keys from 0 on in a loop that ends at a constant number of rounds (Linux 5.3), in an array"),
    (&[Kfunc("bpf_iter_num_")], "write a loop that ends at a constant number of rounds (Linux 5.3), or call bpf_loop (Linux 5.17)"),
    (&[Helper("timer_init"), Helper("timer_set_callback"), Helper("timer_start"), Helper("timer_cancel")],
     "keep the time of bpf_ktime_get_ns (Linux 4.1) in a map, and look at the next event whether it is over; or let user space do it"),
    (&[Kfunc("bpf_wq_")], "use a timer (bpf_timer_init, Linux 5.15), whose function may not sleep"),
    (&[Kfunc("bpf_task_work_")], "send a record to user space by a ring buffer (Linux 5.8)"),
    // Events.
    (&[Helper("ringbuf_output"), Helper("ringbuf_reserve"), Helper("ringbuf_submit"), Helper("ringbuf_discard"), Helper("ringbuf_query"), maps(MapType::Ringbuf)],
     "send events by bpf_perf_event_output to a map of type perf_event_array (Linux 4.4)"),
    (&[Helper("ringbuf_reserve_dynptr"), Helper("ringbuf_submit_dynptr"), Helper("ringbuf_discard_dynptr")],
     "reserve records of one constant size by bpf_ringbuf_reserve, or copy others by bpf_ringbuf_output (Linux 5.8)"),
    (&[Helper("user_ringbuf_drain"), maps(MapType::UserRingbuf)], "let user space write to a map of type queue (Linux 4.20) or array"),
    (&[Helper("skb_output"), Helper("xdp_output")], "send what is needed of the packet by bpf_perf_event_output (Linux 4.4)"),
    (&[Helper("snprintf"), Helper("snprintf_btf"), Helper("trace_vprintk")], "send the numbers to user space, and format them there; or bpf_trace_printk (Linux 4.1), with at most three"),
    (&[Kfunc("bpf_stream_")], "send the numbers to user space, or use bpf_trace_printk (Linux 4.1)"),
    // Memory and texts.
    (&[Helper("dynptr_from_mem"), Helper("dynptr_read"), Helper("dynptr_write"), Helper("dynptr_data"), Kfunc("bpf_dynptr_")],
     "access the memory itself, with offsets that are compared with a constant size first"),
    (&[Helper("probe_read_kernel"), Helper("probe_read_user")], "use bpf_probe_read (Linux 4.1)"),
    (&[Helper("probe_read_kernel_str"), Helper("probe_read_user_str")], "use bpf_probe_read_str (Linux 4.11)"),
    (&[Helper("copy_from_user"), Helper("copy_from_user_task")], "use bpf_probe_read_user (Linux 5.5), which reads what is in memory already"),
    (&[Helper("strtol"), Helper("strtoul")], "go through the digits in an unrolled loop"),
    (&[Helper("strncmp"), Kfunc("bpf_str")], "go through the bytes in a loop that ends at a constant number of rounds (Linux 5.3)"),
    (&[Helper("d_path"), Kfunc("bpf_path_d_path")], "read the names of the dentries one by one by bpf_probe_read_kernel_str"),
    // Packets.
    (&[Helper("xdp_load_bytes"), Helper("xdp_store_bytes"), Helper("xdp_get_buff_len"), Kfunc("bpf_xdp_pull_data")],
     "access the packet between data and data_end: without BPF_F_XDP_HAS_FRAGS all of it is there"),
    (&[Helper("redirect_peer")], "use bpf_redirect (Linux 4.2) to the interface on this side"),
    (&[Helper("redirect_neigh")], "find the neighbour by bpf_fib_lookup (Linux 4.18), write its address, and use bpf_redirect (Linux 4.2)"),
    (&[Helper("check_mtu")], "keep the MTU in a map, and compare it with the packet's length"),
    (&[Helper("csum_level")], "use bpf_l3_csum_replace and bpf_l4_csum_replace (Linux 4.1)"),
    // Who is there, and since when.
    (&[Helper("ktime_get_boot_ns"), Helper("ktime_get_coarse_ns"), Helper("ktime_get_tai_ns"), Helper("jiffies64")], "use bpf_ktime_get_ns (Linux 4.1): monotonic time"),
    (&[Helper("get_current_task_btf")], "use bpf_get_current_task (Linux 4.8), and read its fields by bpf_probe_read"),
    (&[Helper("get_ns_current_pid_tgid")], "use bpf_get_current_pid_tgid (Linux 4.2): numbers of the first namespace"),
    (&[Kfunc("bpf_task_from_"), Kfunc("bpf_task_acquire"), Kfunc("bpf_task_release")], "use the running task: bpf_get_current_task (Linux 4.8)"),
    (&[Helper("get_func_ip"), Helper("get_attach_cookie")], "attach a program of its own to each place, or read the address from the registers of the context"),
    (&[Helper("get_func_arg"), Helper("get_func_ret"), Helper("get_func_arg_cnt")], "read the arguments from the context, 8 bytes each"),
    (&[Helper("send_signal_thread")], "use bpf_send_signal (Linux 5.3)"),
    // Maps.
    (&[Helper("map_lookup_percpu_elem")], "look up this CPU's value, and let user space add those of all"),
    (&[Helper("sk_storage_get"), Helper("sk_storage_delete"), maps(MapType::SkStorage)], "use a hash with the result of bpf_get_socket_cookie (Linux 4.12) for a key"),
    (&[Helper("task_storage_get"), Helper("task_storage_delete"), maps(MapType::TaskStorage)], "use an lru_hash (Linux 4.10) with the result of bpf_get_current_pid_tgid for a key"),
    (&[Helper("cgrp_storage_get"), Helper("cgrp_storage_delete"), maps(MapType::CgrpStorage)], "use a hash with the result of bpf_get_current_cgroup_id (Linux 4.18) for a key"),
    (&[Helper("inode_storage_get"), Helper("inode_storage_delete"), maps(MapType::InodeStorage)], "use an lru_hash (Linux 4.10) with the inode's number and its device for a key"),
    (&[maps(MapType::BloomFilter)], "use an lru_hash (Linux 4.10)"),
    (&[maps(MapType::DevmapHash)], "use a devmap (Linux 4.14), whose keys are small numbers"),
    (&[maps(MapType::Queue), maps(MapType::Stack)], "use an array, and keep the places of the first and the last element in another"),
    (&[maps(MapType::Arena), Kfunc("bpf_arena_")], "use an array with BPF_F_MMAPABLE (Linux 5.5), and indexes in the place of pointers"),
    (&[maps(MapType::LruHash), maps(MapType::LruPercpuHash)], "use a hash, and let user space delete what is old"),
    (&[Helper("kptr_xchg"), Kfunc("bpf_obj_"), Kfunc("bpf_list_"), Kfunc("bpf_rbtree_"), Kfunc("bpf_refcount_")], "keep the values in maps, and their keys in the place of pointers"),
    (&[Helper("spin_lock"), Helper("spin_unlock")], "keep a value for each CPU (per-CPU maps, Linux 4.6), or add atomically"),
    (&[Kfunc("bpf_res_spin_")], "use bpf_spin_lock (Linux 5.1)"),
    (&[Kfunc("bpf_map_sum_elem_count")], "count elements yourself, in an array"),
    // Types of programs, and where they are attached.
    (&[programs(ProgType::Tracing), attached(AttachType::TraceFentry), attached(AttachType::TraceFexit)],
     "attach to the function by kprobe or kretprobe (Linux 4.1), or to a tracepoint by raw_tracepoint (Linux 4.17)"),
    (&[attached(AttachType::TraceRawTp)], "use raw_tracepoint (Linux 4.17), and read what its arguments point to by bpf_probe_read"),
    (&[attached(AttachType::TraceIter)], "let user space go through /proc, or through the map"),
    (&[programs(ProgType::Lsm), attached(AttachType::LsmMac)], "watch the security_ function by kprobe (Linux 4.1): it cannot refuse anything"),
    (&[attached(AttachType::LsmCgroup)], "use lsm (Linux 5.7), and compare bpf_get_current_cgroup_id"),
    (&[programs(ProgType::RawTracepoint)], "use tracepoint (Linux 4.7)"),
    (&[programs(ProgType::RawTracepointWritable)], "use raw_tracepoint (Linux 4.17), which only reads"),
    (&[programs(ProgType::Netfilter)], "use cgroup_skb (Linux 4.10) or sched_cls (Linux 4.1)"),
    (&[programs(ProgType::Ext)], "put the part that is replaced into a program of its own, and go there by bpf_tail_call (Linux 4.2)"),
    (&[programs(ProgType::SkLookup)], "steer the packets to the socket by sched_cls and bpf_sk_assign (Linux 5.6)"),
    (&[attached(AttachType::TcxIngress), attached(AttachType::TcxEgress)],
     "attach it as a classifier of a clsact qdisc, which Linux has since 4.5: tc filter add dev IFACE ingress bpf direct-action"),
    (&[attached(AttachType::NetkitPrimary), attached(AttachType::NetkitPeer)], "use a veth pair, and attach it as a classifier of a clsact qdisc (Linux 4.5)"),
    (&[attached(AttachType::TraceKprobeMulti)], "attach a kprobe to each function (Linux 4.1)"),
    (&[attached(AttachType::TraceUprobeMulti)], "attach a uprobe to each place (Linux 4.1)"),
    (&[attached(AttachType::TraceKprobeSession)], "attach one program by kprobe.multi and one by kretprobe.multi (Linux 5.18), with a hash between them"),
    (&[attached(AttachType::TraceUprobeSession)], "attach one program by uprobe.multi and one by uretprobe.multi (Linux 6.6), with a hash between them"),
    (&[attached(AttachType::SkSkbVerdict)], "use sk_skb_stream_verdict (Linux 4.14), with a program for sk_skb_stream_parser"),
    (&[attached(AttachType::SkReuseportSelectOrMigrate)], "use sk_reuseport (Linux 4.19) without migration"),
    (&[attached(AttachType::XdpDevmap), attached(AttachType::XdpCpumap)], "do it before the packet is redirected, in the program on the interface"),
];

/// What to use instead, where an older form is known.
pub(crate) fn instead(newer: Newer<'_>) -> Option<&'static str> {
    let same = |known: &Newer<'static>| match (known, newer) {
        (Kfunc(begins), Kfunc(name)) => name.starts_with(begins),
        (known, newer) => *known == newer,
    };
    let row = INSTEAD.iter().find(|(things, _)| things.iter().any(same));
    row.map(|(_, help)| *help)
}

/// The form of an instruction, as the table has it.
pub(crate) fn form_of(row: &Row) -> String {
    let form = row.form();
    match form.split_once(" in ") {
        Some((form, _)) => form.to_owned(),
        None => form,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kfunc::releases_of;
    use crate::since::{of_attach_type, of_map_type, of_prog_type};
    use ebpf_asm::helper::by_name;
    use ebpf_asm::isa::{ISA, KernelVersion};
    use ebpf_asm::target::parse_kernel;

    /// The first releases of what there is by this name; none if there is no such thing.
    fn releases(newer: Newer<'_>) -> Vec<KernelVersion> {
        let one = |since: Option<KernelVersion>| since.into_iter().collect();
        match newer {
            Helper(name) => one(by_name(name).map(|helper| helper.since)),
            Kfunc(begins) => releases_of(begins),
            Insn(name) => ISA
                .iter()
                .filter(|row| form_of(row) == name)
                .filter_map(|row| row.since)
                .filter(|since| *since > (4, 0))
                .collect(),
            Newer::ProgType(prog_type) => one(of_prog_type(prog_type)),
            Newer::MapType(map_type) => one(Some(of_map_type(map_type))),
            Newer::AttachType(attach_type) => one(of_attach_type(attach_type)),
        }
    }

    /// Everything in the table is there, and what is used instead is older.
    #[test]
    fn what_is_used_instead_is_older() {
        for (things, help) in INSTEAD {
            for thing in *things {
                let since = releases(*thing);
                assert!(!since.is_empty(), "{thing:?}");
                for words in help.split("Linux ").skip(1) {
                    let end = words.find(|c: char| c != '.' && !c.is_ascii_digit());
                    let release = words.get(..end.unwrap_or(words.len())).unwrap_or_default();
                    // Prose names no release here.
                    let Ok(older) = parse_kernel(release) else {
                        continue;
                    };
                    let oldest = since.iter().min();
                    assert!(oldest > Some(&older), "{thing:?} {since:?}: {help}");
                }
            }
        }
    }

    #[test]
    fn each_thing_is_there_once() {
        let all: Vec<_> = INSTEAD.iter().flat_map(|(things, _)| *things).collect();
        for (at, thing) in all.iter().enumerate() {
            assert!(
                !all.iter().skip(at + 1).any(|other| other == thing),
                "{thing:?}"
            );
        }
        assert_eq!(instead(Kfunc("bpf_nothing")), None);
        assert!(instead(Kfunc("bpf_iter_num_next")).is_some_and(|help| help.contains("bpf_loop")));
    }
}
