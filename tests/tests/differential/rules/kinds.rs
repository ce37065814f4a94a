//! Kinds of pointers and what is done with them: two tables, and a program for every pair. The
//! verdicts shall be equal; the words are compared by the other rules.
//!
//! A kind is a way to get a pointer into R6, where R9 is the context; a use is what is done with
//! R6. What is acquired is not given back but by some uses: the others show that this is missed.

use super::maps::Maps;
use super::{Counts, in_kernel, target};
use ebpf_asm::helper::by_name;
use ebpf_asm::object::Object;
use ebpf_syscalls::cpu;
use ebpf_tests::kernel_types::RUNNING;
use ebpf_tests::{Failed, Outcome, ensure};
use ebpf_verifier_sim::{Code, Config, Verdict, verify_with};

/// Of traffic control.
const KINDS: &[&str] = &[
    "r6 = r9",
    "r6 = 0",
    "r6 = 8",
    "call bpf_get_prandom_u32; r6 = r0",
    "r6 = r10",
    "r6 = r10; r6 += -64",
    "*(u64 *)(r10 - 64) = r10; r6 = r10; r6 += -64",
    "r6 = *(u32 *)(r9 + 76)",
    "r6 = *(u32 *)(r9 + 80)",
    "r6 = *(u32 *)(r9 + 76); r1 = *(u32 *)(r9 + 80); r2 = r6; r2 += 64; if r2 > r1 goto out",
    "r6 = *(u32 *)(r9 + 140); r1 = *(u32 *)(r9 + 76); r2 = r6; r2 += 64; if r2 > r1 goto out",
    "r6 = hash ll",
    "r6 = kept ll",
    "r6 = values[0] + 0 ll",
    "r6 = values[0] + 8 ll",
    "r6 = constants[0] + 0 ll",
    "r6 = results[0] + 0 ll",
    "r1 = hash ll; r2 = r10; r2 += -64; call bpf_map_lookup_elem; r6 = r0",
    "r1 = hash ll; r2 = r10; r2 += -64; call bpf_map_lookup_elem; r6 = r0; if r0 == 0 goto out",
    "r1 = maps ll; r2 = r10; r2 += -64; call bpf_map_lookup_elem; r6 = r0; if r0 == 0 goto out",
    "r1 = records ll; r2 = 64; r3 = 0; call bpf_ringbuf_reserve; r6 = r0",
    "r1 = records ll; r2 = 64; r3 = 0; call bpf_ringbuf_reserve; r6 = r0; if r0 == 0 goto out",
    "r6 = *(u64 *)(r9 + 168)",
    "r6 = *(u64 *)(r9 + 168); if r6 == 0 goto out",
    "r1 = *(u64 *)(r9 + 168); if r1 == 0 goto out; call bpf_sk_fullsock; r6 = r0; \
     if r0 == 0 goto out",
    "r1 = *(u64 *)(r9 + 168); if r1 == 0 goto out; call bpf_tcp_sock; r6 = r0; if r0 == 0 goto out",
    "r1 = *(u64 *)(r9 + 168); if r1 == 0 goto out; call bpf_skc_to_tcp_sock; r6 = r0; \
     if r0 == 0 goto out",
    "r1 = r9; r2 = r10; r2 += -64; r3 = 12; r4 = -1; r5 = 0; call bpf_sk_lookup_tcp; r6 = r0",
    "r1 = r9; r2 = r10; r2 += -64; r3 = 12; r4 = -1; r5 = 0; call bpf_sk_lookup_tcp; r6 = r0; \
     if r0 == 0 goto out",
    "r1 = 9; r2 = 0; call bpf_obj_new_impl; r6 = r0",
    "r1 = 9; r2 = 0; call bpf_obj_new_impl; r6 = r0; if r0 == 0 goto out",
    "r1 = 5; r2 = 0; call bpf_obj_new_impl; r6 = r0; if r0 == 0 goto out",
    "r1 = 5; r2 = 0; call bpf_percpu_obj_new_impl; r6 = r0; if r0 == 0 goto out",
    "r1 = kept[0] + 0 ll; r6 = *(u64 *)(r1 + 0)",
    "r1 = kept[0] + 0 ll; r6 = *(u64 *)(r1 + 0); if r6 == 0 goto out",
    "r1 = kept[0] + 0 ll; r6 = *(u64 *)(r1 + 8); if r6 == 0 goto out",
    "r1 = kept[0] + 0 ll; r2 = 0; call bpf_kptr_xchg; r6 = r0; if r0 == 0 goto out",
    "r6 = kept[0] + 0 ll",
    "r6 = locked[0] + 0 ll",
    "r6 = timed[0] + 0 ll",
    "r1 = r9; call bpf_cast_to_kern_ctx; r6 = r0",
    "r1 = r10; r2 = 0; call bpf_rdonly_cast; r6 = r0",
    "r1 = values[0] + 0 ll; r2 = 64; r3 = 0; r4 = r10; r4 += -112; call bpf_dynptr_from_mem; \
     r6 = r10; r6 += -112",
    "r1 = records ll; r2 = 64; r3 = 0; r4 = r10; r4 += -112; call bpf_ringbuf_reserve_dynptr; \
     r6 = r10; r6 += -112",
    "r1 = values[0] + 0 ll; r2 = 64; r3 = 0; r4 = r10; r4 += -112; call bpf_dynptr_from_mem; \
     r1 = r10; r1 += -112; r2 = 0; r3 = 64; call bpf_dynptr_data; r6 = r0; if r0 == 0 goto out",
    "r1 = r10; r1 += -112; r2 = 0; r3 = 4; call bpf_iter_num_new; r6 = r10; r6 += -112",
    "r1 = r10; r1 += -112; call bpf_local_irq_save; r6 = r10; r6 += -112",
    "r1 = 1; call bpf_task_from_pid; r6 = r0",
    "r1 = 1; call bpf_task_from_pid; r6 = r0; if r0 == 0 goto out",
    "r1 = 1; call bpf_cgroup_from_id; r6 = r0; if r0 == 0 goto out",
    "r1 = 1; call bpf_get_kmem_cache; r6 = r0; if r0 == 0 goto out",
];

/// Of programs on a tracepoint.
const KINDS_OF_TRACING: &[&str] = &[
    "r6 = r9",
    "r6 = *(u64 *)(r9 + 8)",
    "call bpf_get_current_task_btf; r6 = r0",
    "call bpf_get_current_task_btf; r6 = r0; r6 += 8",
    "call bpf_get_current_task_btf; r6 = r0; r6 += -8",
    "call bpf_get_current_task; r6 = r0",
    "r1 = 1; call bpf_task_from_pid; r6 = r0; if r0 == 0 goto out; r1 = r0; call bpf_task_release",
    "call bpf_cpumask_create; r6 = r0",
    "call bpf_cpumask_create; r6 = r0; if r0 == 0 goto out",
    "call bpf_rcu_read_lock; r1 = kept[0] + 0 ll; r6 = *(u64 *)(r1 + 0); if r6 == 0 goto out",
];

const USES: &[&str] = &[
    "r1 = *(u8 *)(r6 + 0)",
    "r1 = *(u64 *)(r6 + 0)",
    "r1 = *(s32 *)(r6 + 4)",
    "r1 = *(u32 *)(r6 + 62)",
    "r1 = *(u8 *)(r6 + 64)",
    "r1 = *(u8 *)(r6 - 1)",
    "*(u8 *)(r6 + 0) = 0",
    "*(u64 *)(r6 + 0) = 0",
    "*(u64 *)(r6 + 8) = r6",
    "r1 = 1; lock *(u64 *)(r6 + 0) += r1",
    "r1 = 1; r1 = atomic_fetch_or((u64 *)(r6 + 8), r1)",
    "r1 = load_acquire((u32 *)(r6 + 0))",
    "r1 = 0; store_release((u64 *)(r6 + 0), r1)",
    "r6 += 8; r1 = *(u8 *)(r6 + 0)",
    "r6 -= 8; r1 = *(u8 *)(r6 + 8)",
    "w6 += 8",
    "r6 = -r6",
    "r6 &= -8; r1 = *(u8 *)(r6 + 0)",
    "r1 = r6; r1 -= r6",
    "r1 = r10; r1 -= r6",
    "call bpf_get_prandom_u32; r0 &= 56; r6 += r0; r1 = *(u64 *)(r6 + 0)",
    "call bpf_get_prandom_u32; r0 &= 63; r0 += r6; *(u8 *)(r0 + 0) = 0",
    "call bpf_get_prandom_u32; r6 += r0; r1 = *(u8 *)(r6 + 0)",
    "if r6 == 0 goto out; r1 = *(u8 *)(r6 + 0)",
    "if r6 != 0 goto out; r1 = *(u8 *)(r6 + 0)",
    "if w6 == 0 goto out; r1 = *(u8 *)(r6 + 0)",
    "if r6 > r9 goto out; r1 = *(u8 *)(r6 + 0)",
    "*(u64 *)(r10 - 8) = r6; r6 = *(u64 *)(r10 - 8); r1 = *(u8 *)(r6 + 0)",
    "*(u64 *)(r10 - 8) = r6; r1 = *(u32 *)(r10 - 8)",
    "*(u32 *)(r10 - 8) = r6",
    "r0 = r6; exit",
    "r1 = hash ll; r2 = r6; call bpf_map_lookup_elem",
    "r1 = hash ll; r2 = r10; r2 += -64; r3 = r6; r4 = 0; call bpf_map_update_elem",
    "r1 = r6; r2 = r10; r2 += -64; call bpf_map_lookup_elem",
    "r1 = r6; r2 = 8; r3 = 0; call bpf_probe_read_kernel",
    "r1 = r10; r1 += -8; r2 = 8; r3 = r6; call bpf_probe_read_kernel",
    "r1 = r10; r1 += -64; r2 = r6; r3 = 0; call bpf_probe_read_kernel",
    "r1 = records ll; r2 = r6; r3 = 8; r4 = 0; call bpf_ringbuf_output",
    "r1 = r6; r2 = 0; call bpf_ringbuf_submit",
    "r1 = r6; r2 = 0; call bpf_ringbuf_discard_dynptr",
    "r1 = r6; call bpf_sk_release",
    "r1 = r6; call bpf_sk_fullsock",
    "r1 = r6; call bpf_skc_to_tcp_sock",
    "r1 = r6; r2 = 8; r3 = 0; r4 = r10; r4 += -128; call bpf_dynptr_from_mem",
    "r1 = values[0] + 0 ll; r2 = 8; r3 = 0; r4 = r6; call bpf_dynptr_from_mem",
    "r1 = r10; r1 += -64; r2 = 8; r3 = r6; r4 = 0; r5 = 0; call bpf_dynptr_read",
    "r1 = r6; call bpf_spin_lock",
    "r1 = r6; call bpf_timer_cancel",
    "r1 = r6; r2 = 0; call bpf_kptr_xchg",
    "r1 = kept[0] + 0 ll; r2 = r6; call bpf_kptr_xchg",
    "r1 = kept[0] + 8 ll; r2 = r6; call bpf_kptr_xchg",
    "r1 = r6; call bpf_this_cpu_ptr",
    "r1 = r6; r2 = 0; call bpf_per_cpu_ptr",
    "r1 = r9; r2 = 0; r3 = r6; r4 = 8; call bpf_skb_load_bytes",
    "r1 = r6; r2 = 0; r3 = r10; r3 += -8; r4 = 8; call bpf_skb_load_bytes",
    "r1 = r9; r2 = 0; call bpf_skb_pull_data; r1 = *(u8 *)(r6 + 0)",
    "r1 = r6; call bpf_task_acquire; r6 = r0; if r0 == 0 goto out; r1 = r6; call bpf_task_release",
    "r1 = r6; call bpf_task_release",
    "r1 = r6; call bpf_task_release; r1 = *(u8 *)(r6 + 0)",
    "r1 = r6; r2 = 0; call bpf_cgroup_ancestor",
    "r1 = r6; call bpf_cgroup_release",
    "r1 = r6; call bpf_cpumask_first",
    "r1 = r6; call bpf_cpumask_release",
    "r1 = r6; r2 = 0; call bpf_obj_drop_impl",
    "r1 = r6; r2 = 0; call bpf_percpu_obj_drop_impl",
    "r1 = r6; r2 = 0; call bpf_refcount_acquire_impl",
    "r1 = r6; call bpf_cast_to_kern_ctx",
    "r1 = r6; r2 = 0; call bpf_rdonly_cast; r1 = *(u8 *)(r0 + 0)",
    "r1 = r6; call bpf_dynptr_size",
    "r1 = r6; r2 = 0; r3 = r10; r3 += -128; call bpf_dynptr_from_skb",
    "r1 = r6; r2 = 0; r3 = r10; r3 += -8; r4 = 8; call bpf_dynptr_slice",
    "r1 = r6; r2 = 0; r3 = 4; call bpf_iter_num_new",
    "r1 = r6; call bpf_iter_num_destroy",
    "r1 = r6; call bpf_local_irq_restore",
    "r1 = r6; call bpf_strlen",
    "r1 = r6; call bpf_map_sum_elem_count",
    "r1 = r6; call bpf_throw",
];

const MAPS: &str = "
.map hash hash key_size=4 value_size=64 max_entries=4
.map values array key_size=4 value_size=64 max_entries=1
.map constants array key_size=4 value_size=64 max_entries=1 map_flags=0x80
.map results array key_size=4 value_size=64 max_entries=1 map_flags=0x100
.map records ringbuf max_entries=4096
.map maps array_of_maps key_size=4 value_size=4 max_entries=2
    .inner array key_size=4 value_size=64 max_entries=1
.map kept array key_size=4 value_size=16 max_entries=1 key_type_id=1 value_type_id=10
.map locked array key_size=4 value_size=16 max_entries=1 key_type_id=1 value_type_id=12
.map timed array key_size=4 value_size=16 max_entries=1 key_type_id=1 value_type_id=13
";

const TYPES: &str = "
.btf
[1] INT 'unsigned int' size=4
[2] INT 'unsigned long long' size=8
[3] ARRAY '(anon)' type_id=2 index_type_id=1 nr_elems=8
[4] STRUCT 'task_struct' size=4
        'pid' type_id=1 bits_offset=0
[5] STRUCT 'plain' size=64
        'words' type_id=3 bits_offset=0
[6] TYPE_TAG 'kptr' type_id=4
[7] PTR '(anon)' type_id=6
[8] STRUCT 'bpf_refcount' size=4
        '__opaque' type_id=1 bits_offset=0
[9] STRUCT 'shared' size=16
        'number' type_id=2 bits_offset=0
        'count' type_id=8 bits_offset=64
[10] STRUCT 'kept' size=16
        'task' type_id=7 bits_offset=0
        'object' type_id=15 bits_offset=64
[11] STRUCT 'bpf_spin_lock' size=4
        'val' type_id=1 bits_offset=0
[12] STRUCT 'locked' size=16
        'lock' type_id=11 bits_offset=0
        'number' type_id=2 bits_offset=64
[13] STRUCT 'bpf_timer' size=16
        'opaque' type_id=16 bits_offset=0
[14] TYPE_TAG 'kptr' type_id=5
[15] PTR '(anon)' type_id=14
[16] ARRAY '(anon)' type_id=2 index_type_id=1 nr_elems=2
";

pub(crate) fn agree(cases: u32) -> Outcome {
    let config = Config {
        cpus: Some(cpu::ids()?),
        ..Config::default()
    };
    let of_both = KINDS.iter().map(|kind| ("sched_cls", *kind));
    let of_tracing = KINDS_OF_TRACING.iter();
    let kinds = of_both.chain(of_tracing.map(|kind| ("tp_btf/sched_switch", *kind)));
    let pairs: Vec<_> = kinds
        .flat_map(|kind| USES.iter().map(move |used| (kind, *used)))
        .collect();
    let externs = externs();
    let every = (pairs.len() / cases.max(1) as usize).max(1);
    let (mut counts, mut wrong, mut maps) = (Counts::default(), Vec::new(), Maps::default());
    for &((section, kind), used) in pairs.iter().step_by(every) {
        let object = object(&externs, section, kind, used)?;
        let kernels = in_kernel(&object, &mut maps);
        match (
            verify_with(&object, &object.programs[0], &config, &RUNNING),
            kernels,
        ) {
            (Verdict::Rejected(why), _) if why.code == Code::NotModelled => counts.open += 1,
            (Verdict::Accepted(..), Ok(())) => counts.accepted += 1,
            // What could not be asked has no verifier's log.
            (Verdict::Rejected(_), Err(log)) if log.contains("\nprocessed ") => {
                counts.refused += 1;
            }
            (ours, kernels) => wrong.push(format!(
                "{section}\n  {kind}\n  {used}\nthe simulator: {ours:?}\nthe kernel: {kernels:?}"
            )),
        }
    }
    println!("uses of pointers: {counts:?}, one of {every}");
    ensure!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    ensure!(
        counts.accepted > pairs.len() / every / 20 && counts.open < pairs.len() / every / 50,
        "too little was compared: {counts:?}"
    );
    Ok(())
}

/// The declarations of all functions of the kernel that the tables call.
fn externs() -> String {
    let texts = KINDS.iter().chain(KINDS_OF_TRACING).chain(USES);
    let mut names: Vec<&str> = texts
        .flat_map(|text| text.split(';'))
        .filter_map(|line| line.trim().strip_prefix("call "))
        .filter(|name| by_name(name).is_none())
        .collect();
    names.sort_unstable();
    names.dedup();
    names
        .iter()
        .map(|name| format!(".extern func {name}\n"))
        .collect()
}

fn object(externs: &str, section: &str, kind: &str, used: &str) -> Outcome<Object> {
    let cleared: String = (1..=16)
        .map(|slot| format!("*(u64 *)(r10 - {}) = 0\n", 8 * slot))
        .collect();
    let lines = |text: &str| text.replace(';', "\n");
    let text = format!(
        ".license GPL\n{externs}{MAPS}.prog {section} probe\nr9 = r1\n{cleared}{}\n{}\nout:\nr0 = 0\nexit\n{TYPES}",
        lines(kind),
        lines(used),
    );
    let parsed = ebpf_asm::text::parse("probe", &text);
    let mut object = parsed.map_err(|error| Failed::from(format!("{error}\n{text}")))?;
    if let Some(program) = object.programs.first_mut() {
        program.attach_btf_id = target(program.expected_attach_type);
    }
    Ok(object)
}
