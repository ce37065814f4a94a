//! What older kernels have in the place of what they are too old for: one table, for messages.
//! A kernel is told only of what it has itself.
//!
//! Sources: bpf-helpers(7), the kernel's documentation and change logs as `since.rs` has them.
//!
//! Read before: `since.rs`. Read next: `loadable.rs`.

use ebpf_asm::isa::{KernelVersion, Row};
use ebpf_asm::map_type::MapType;
use ebpf_asm::prog_type::{AttachType, ProgType};
use std::fmt;

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

/// A form that is older.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Older {
    /// The first release that has all of it; `None` if each has.
    since: Option<KernelVersion>,
    /// What to do.
    what: &'static str,
}

const fn since(since: KernelVersion, what: &'static str) -> Older {
    let since = Some(since);
    Older { since, what }
}

const fn always(what: &'static str) -> Older {
    Older { since: None, what }
}

/// What to use instead of each: one or the other.
#[rustfmt::skip]
const INSTEAD: &[(&[Newer<'static>], &[Older])] = &[
    // Instructions.
    (&[Insn("JCOND")], &[since((5, 3), "count the rounds in a register, and leave the loop at a constant number"), always("unroll the loop")]),
    (&[Insn("GOTOX")], &[always("compare, and jump to each target by a conditional jump")]),
    (&[Insn("MOVSX"), Insn("LDXSX")], &[always("shift left and then arithmetically right, as in r1 <<= 56, r1 s>>= 56; a compiler does so with -mcpu=v3, `ebpfasm build` for this --kernel")]),
    (&[Insn("SDIV"), Insn("SMOD")], &[always("divide the absolute values, and give the result its sign")]),
    (&[Insn("BSWAP")], &[always("swap with r1 = be16 r1 and the like, which leave the bytes as they are on big-endian machines")]),
    (&[Insn("32-bit distance")], &[always("jump by goto in steps of at most 32767 instructions; a compiler does so with -mcpu=v3")]),
    (&[Insn("more than plain addition")],
     &[since((4, 6), "keep a value for each CPU, in per-CPU maps"), since((5, 1), "change it under bpf_spin_lock"), always("make do with the plain addition `lock *(u64 *)(r1 + 0) += r2`, which alone is older")]),
    (&[Insn("LOAD_ACQ"), Insn("STORE_REL")], &[since((5, 12), "use an atomic operation that fetches, which is ordered on both sides")]),
    (&[Insn("32-bit shift")], &[always("shift with 64 bits: r1 <<= 32, r1 s>>= 32 and then by the count")]),
    (&[Insn("32-bit comparison")], &[always("compare with 64 bits; a compiler does so with -mcpu=v2, `ebpfasm build` for this --kernel")]),
    (&[Insn("function of the kernel")], &[always("use a helper: functions of the kernel are not called by older ones")]),
    (&[Insn("address of a function")], &[always("older kernels call nothing back: write out the loop of bpf_loop or bpf_for_each_map_elem, and instead of setting a timer look at the time (bpf_ktime_get_ns) when the next event comes")]),
    (&[Insn("value of a map by file descriptor"), Insn("value of a map by index")], &[always("look the value up with bpf_map_lookup_elem, in an array of one element")]),
    // Loops and callbacks.
    (&[Helper("loop")], &[since((5, 3), "write a loop that ends at a constant number of rounds"), always("unroll the loop")]),
    (&[Helper("for_each_map_elem")],
     &[since((5, 3), "look up the keys of an array from 0 on, in a loop that ends at a constant number of rounds"), always("look up the keys of an array from 0 on, in an unrolled loop")]),
    (&[Kfunc("bpf_iter_num_")],
     &[since((5, 17), "call bpf_loop"), since((5, 3), "write a loop that ends at a constant number of rounds"), always("unroll the loop")]),
    (&[Helper("timer_init"), Helper("timer_set_callback"), Helper("timer_start"), Helper("timer_cancel")],
     &[since((4, 1), "keep the time of bpf_ktime_get_ns in a map, and look at the next event whether it is over"), always("let user space do it")]),
    (&[Kfunc("bpf_wq_")], &[since((5, 15), "use a timer (bpf_timer_init), whose function may not sleep"), always("let user space do it")]),
    (&[Kfunc("bpf_task_work_")], &[since((5, 8), "send a record to user space by a ring buffer"), since((4, 4), "send it by bpf_perf_event_output")]),
    // Events.
    (&[Helper("ringbuf_output"), Helper("ringbuf_reserve"), Helper("ringbuf_submit"), Helper("ringbuf_discard"), Helper("ringbuf_query"), maps(MapType::Ringbuf)],
     &[since((4, 4), "send events by bpf_perf_event_output to a map of type perf_event_array")]),
    (&[Helper("ringbuf_reserve_dynptr"), Helper("ringbuf_submit_dynptr"), Helper("ringbuf_discard_dynptr")],
     &[since((5, 8), "reserve records of one constant size by bpf_ringbuf_reserve, or copy others by bpf_ringbuf_output"), since((4, 4), "send them by bpf_perf_event_output")]),
    (&[Helper("user_ringbuf_drain"), maps(MapType::UserRingbuf)], &[since((4, 20), "let user space write to a map of type queue"), always("let user space write to an array")]),
    (&[Helper("skb_output"), Helper("xdp_output")], &[since((4, 4), "send what is needed of the packet by bpf_perf_event_output")]),
    (&[Helper("snprintf"), Helper("snprintf_btf"), Helper("trace_vprintk")],
     &[always("send the numbers to user space, and format them there"), since((4, 1), "use bpf_trace_printk, with at most three")]),
    (&[Kfunc("bpf_stream_")], &[always("send the numbers to user space"), since((4, 1), "use bpf_trace_printk")]),
    // Memory and texts.
    (&[Helper("dynptr_from_mem"), Helper("dynptr_read"), Helper("dynptr_write"), Helper("dynptr_data"), Kfunc("bpf_dynptr_")],
     &[always("access the memory itself, with offsets that are compared with a constant size first")]),
    (&[Helper("probe_read_kernel"), Helper("probe_read_user")], &[since((4, 1), "use bpf_probe_read")]),
    (&[Helper("probe_read_kernel_str"), Helper("probe_read_user_str")], &[since((4, 11), "use bpf_probe_read_str"), since((4, 1), "read as many bytes as there may be by bpf_probe_read")]),
    (&[Helper("copy_from_user"), Helper("copy_from_user_task")],
     &[since((5, 5), "use bpf_probe_read_user, which reads what is in memory already"), since((4, 1), "use bpf_probe_read, which reads what is in memory already")]),
    (&[Helper("strtol"), Helper("strtoul")], &[always("go through the digits in an unrolled loop")]),
    (&[Helper("strncmp"), Kfunc("bpf_str")], &[since((5, 3), "go through the bytes in a loop that ends at a constant number of rounds"), always("go through the bytes in an unrolled loop")]),
    (&[Helper("d_path"), Kfunc("bpf_path_d_path")],
     &[since((5, 5), "read the names of the dentries one by one by bpf_probe_read_kernel_str"), since((4, 11), "read the names of the dentries one by one by bpf_probe_read_str")]),
    // Packets.
    (&[Helper("xdp_load_bytes"), Helper("xdp_store_bytes"), Helper("xdp_get_buff_len"), Kfunc("bpf_xdp_pull_data")],
     &[always("access the packet between data and data_end: without BPF_F_XDP_HAS_FRAGS all of it is there")]),
    (&[Helper("redirect_peer")], &[since((4, 2), "use bpf_redirect to the interface on this side")]),
    (&[Helper("redirect_neigh")],
     &[since((4, 18), "find the neighbour by bpf_fib_lookup, write its address, and use bpf_redirect"), since((4, 2), "let user space keep the neighbour's address in a map, write it, and use bpf_redirect")]),
    (&[Helper("check_mtu")], &[always("keep the MTU in a map, and compare it with the packet's length")]),
    (&[Helper("csum_level")], &[since((4, 1), "use bpf_l3_csum_replace and bpf_l4_csum_replace")]),
    // Who is there, and since when.
    (&[Helper("ktime_get_boot_ns"), Helper("ktime_get_coarse_ns"), Helper("ktime_get_tai_ns"), Helper("jiffies64")], &[since((4, 1), "use bpf_ktime_get_ns: monotonic time")]),
    (&[Helper("get_current_task_btf")], &[since((4, 8), "use bpf_get_current_task, and read its fields by bpf_probe_read")]),
    (&[Helper("get_ns_current_pid_tgid")], &[since((4, 2), "use bpf_get_current_pid_tgid: numbers of the first namespace")]),
    (&[Kfunc("bpf_task_from_"), Kfunc("bpf_task_acquire"), Kfunc("bpf_task_release")], &[since((4, 8), "use the running task: bpf_get_current_task")]),
    (&[Helper("get_func_ip"), Helper("get_attach_cookie")], &[always("attach a program of its own to each place, or read the address from the registers of the context")]),
    (&[Helper("get_func_arg"), Helper("get_func_ret"), Helper("get_func_arg_cnt")], &[always("read the arguments from the context, 8 bytes each")]),
    (&[Helper("send_signal_thread")], &[since((5, 3), "use bpf_send_signal"), always("let user space send it")]),
    // Maps.
    (&[Helper("map_lookup_percpu_elem")], &[always("look up this CPU's value, and let user space add those of all")]),
    (&[Helper("sk_storage_get"), Helper("sk_storage_delete"), maps(MapType::SkStorage)], &[since((4, 12), "use a hash with the result of bpf_get_socket_cookie for a key")]),
    (&[Helper("task_storage_get"), Helper("task_storage_delete"), maps(MapType::TaskStorage)], &[since((4, 10), "use an lru_hash with the result of bpf_get_current_pid_tgid for a key")]),
    (&[Helper("cgrp_storage_get"), Helper("cgrp_storage_delete"), maps(MapType::CgrpStorage)], &[since((4, 18), "use a hash with the result of bpf_get_current_cgroup_id for a key")]),
    (&[Helper("inode_storage_get"), Helper("inode_storage_delete"), maps(MapType::InodeStorage)], &[since((4, 10), "use an lru_hash with the inode's number and its device for a key")]),
    (&[maps(MapType::BloomFilter)], &[since((4, 10), "use an lru_hash"), always("use a hash")]),
    (&[maps(MapType::DevmapHash)], &[since((4, 14), "use a devmap, whose keys are small numbers")]),
    (&[maps(MapType::Queue), maps(MapType::Stack)], &[always("use an array, and keep the places of the first and the last element in another")]),
    (&[maps(MapType::Arena), Kfunc("bpf_arena_")], &[since((5, 5), "use an array with BPF_F_MMAPABLE, and indexes in the place of pointers"), always("use an array, and indexes in the place of pointers")]),
    (&[maps(MapType::LruHash), maps(MapType::LruPercpuHash)], &[always("use a hash, and let user space delete what is old")]),
    (&[Helper("kptr_xchg"), Kfunc("bpf_obj_"), Kfunc("bpf_list_"), Kfunc("bpf_rbtree_"), Kfunc("bpf_refcount_")], &[always("keep the values in maps, and their keys in the place of pointers")]),
    (&[Helper("spin_lock"), Helper("spin_unlock")], &[since((4, 6), "keep a value for each CPU, in per-CPU maps"), always("add atomically")]),
    (&[Kfunc("bpf_res_spin_")], &[since((5, 1), "use bpf_spin_lock"), always("add atomically")]),
    (&[Kfunc("bpf_map_sum_elem_count")], &[always("count elements yourself, in an array")]),
    // Types of programs, and where they are attached.
    (&[programs(ProgType::Tracing), attached(AttachType::TraceFentry), attached(AttachType::TraceFexit)],
     &[since((4, 1), "attach to the function by kprobe or kretprobe"), since((4, 17), "attach to a tracepoint by raw_tracepoint")]),
    (&[attached(AttachType::TraceRawTp)], &[since((4, 17), "use raw_tracepoint, and read what its arguments point to by bpf_probe_read"), since((4, 7), "use tracepoint")]),
    (&[attached(AttachType::TraceIter)], &[always("let user space go through /proc, or through the map")]),
    (&[programs(ProgType::Lsm), attached(AttachType::LsmMac)], &[since((4, 1), "watch the security_ function by kprobe: it cannot refuse anything")]),
    (&[attached(AttachType::LsmCgroup)], &[since((5, 7), "use lsm, and compare bpf_get_current_cgroup_id")]),
    (&[programs(ProgType::RawTracepoint)], &[since((4, 7), "use tracepoint"), since((4, 1), "attach to a function by kprobe")]),
    (&[programs(ProgType::RawTracepointWritable)], &[since((4, 17), "use raw_tracepoint, which only reads")]),
    (&[programs(ProgType::Netfilter)], &[since((4, 10), "use cgroup_skb"), since((4, 1), "use sched_cls")]),
    (&[programs(ProgType::Ext)], &[since((4, 2), "put the part that is replaced into a program of its own, and go there by bpf_tail_call")]),
    (&[programs(ProgType::SkLookup)], &[since((5, 6), "steer the packets to the socket by sched_cls and bpf_sk_assign")]),
    (&[attached(AttachType::TcxIngress), attached(AttachType::TcxEgress)],
     &[since((4, 5), "attach it as a classifier of a clsact qdisc, by tc filter add dev IFACE ingress bpf direct-action")]),
    (&[attached(AttachType::NetkitPrimary), attached(AttachType::NetkitPeer)], &[since((4, 5), "use a veth pair, and attach it as a classifier of a clsact qdisc")]),
    (&[attached(AttachType::TraceKprobeMulti)], &[since((4, 1), "attach a kprobe to each function")]),
    (&[attached(AttachType::TraceUprobeMulti)], &[since((4, 1), "attach a uprobe to each place")]),
    (&[attached(AttachType::TraceKprobeSession)],
     &[since((5, 18), "attach one program by kprobe.multi and one by kretprobe.multi, with a hash between them"), since((4, 1), "attach one program by kprobe and one by kretprobe, with a hash between them")]),
    (&[attached(AttachType::TraceUprobeSession)],
     &[since((6, 6), "attach one program by uprobe.multi and one by uretprobe.multi, with a hash between them"), since((4, 1), "attach one program by uprobe and one by uretprobe, with a hash between them")]),
    (&[attached(AttachType::SkSkbVerdict)], &[since((4, 14), "use sk_skb_stream_verdict, with a program for sk_skb_stream_parser")]),
    (&[attached(AttachType::SkReuseportSelectOrMigrate)], &[since((4, 19), "use sk_reuseport without migration")]),
    (&[attached(AttachType::XdpDevmap), attached(AttachType::XdpCpumap)], &[always("do it before the packet is redirected, in the program on the interface")]),
];

/// What `kernel` has instead, where an older form is known: all that is no newer than it. Where
/// each is newer, the oldest, with a word on that.
pub(crate) fn instead(newer: Newer<'_>, kernel: KernelVersion) -> Option<String> {
    let same = |known: &Newer<'static>| match (known, newer) {
        (Kfunc(begins), Kfunc(name)) => name.starts_with(begins),
        (known, newer) => *known == newer,
    };
    let (_, forms) = INSTEAD.iter().find(|(things, _)| things.iter().any(same))?;
    let had = forms.iter().filter(|form| form.since <= Some(kernel));
    let had: Vec<String> = had.map(Older::to_string).collect();
    match had.as_slice() {
        [] => {
            let oldest = forms.iter().min_by_key(|form| form.since)?;
            Some(format!("what is older is too new as well: {oldest}"))
        }
        had => Some(had.join(", or ")),
    }
}

impl fmt::Display for Older {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)?;
        match self.since {
            Some((major, minor)) => write!(f, " (Linux {major}.{minor})"),
            None => Ok(()),
        }
    }
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
    use crate::load::since::{of_attach_type, of_map_type, of_prog_type};
    use ebpf_asm::helper::by_name;
    use ebpf_asm::isa::ISA;
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
        for (things, forms) in INSTEAD {
            for thing in *things {
                let since = releases(*thing);
                assert!(!since.is_empty(), "{thing:?}");
                for form in *forms {
                    assert!(
                        since.iter().min() > form.since.as_ref(),
                        "{thing:?}: {form}"
                    );
                }
            }
        }
    }

    /// Whatever a kernel is too old for, what it is told to use it has.
    #[test]
    fn no_kernel_is_told_of_what_is_too_new_for_it() {
        for thing in INSTEAD.iter().flat_map(|(things, _)| *things) {
            for kernel in [
                (4, 1),
                (4, 9),
                (4, 19),
                (5, 2),
                (5, 4),
                (5, 10),
                (5, 15),
                (6, 1),
            ] {
                let help = instead(*thing, kernel).unwrap();
                let is_warned = help.starts_with("what is older is too new as well: ");
                for words in help.split("(Linux ").skip(1) {
                    let (release, _) = words.split_once(')').unwrap();
                    let had = parse_kernel(release).unwrap() <= kernel;
                    assert_eq!(had, !is_warned, "{kernel:?}: {help}");
                }
            }
        }
        let of_loop = |kernel| instead(Helper("loop"), kernel).unwrap();
        assert_eq!(of_loop((5, 2)), "unroll the loop");
        let both =
            "write a loop that ends at a constant number of rounds (Linux 5.3), or unroll the loop";
        assert_eq!(of_loop((5, 3)), both);
        assert_eq!(
            instead(maps(MapType::Ringbuf), (4, 3)).unwrap(),
            "what is older is too new as well: send events by bpf_perf_event_output to a map of \
             type perf_event_array (Linux 4.4)"
        );
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
        assert_eq!(instead(Kfunc("bpf_nothing"), (6, 1)), None);
        let help = instead(Kfunc("bpf_iter_num_next"), (6, 1));
        assert!(help.is_some_and(|help| help.contains("bpf_loop")));
    }
}
