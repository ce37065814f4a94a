/* Programs at the kernel's probes and hooks. */
#include "corpus.h"
#include "kernel_types.h"
#include <linux/bpf_perf_event.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

struct {
    __uint(type, BPF_MAP_TYPE_STACK_TRACE);
    __uint(max_entries, 64);
    __uint(key_size, sizeof(__u32));
    __uint(value_size, 20 * sizeof(__u64));
} stacks SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_TASK_STORAGE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, int);
    __type(value, __u64);
} of_task SEC(".maps");

__u64 events;

SEC("kprobe/do_sys_openat2")
int at_entry(void *ctx)
{
    events += bpf_get_stackid(ctx, &stacks, 0) >= 0;
    return 0;
}

SEC("kretprobe/do_sys_openat2")
int at_return(void *ctx)
{
    events += 1;
    return 0;
}

SEC("uprobe//bin/sh:main")
int in_user(void *ctx)
{
    events += 2;
    return 0;
}

SEC("tracepoint/sched/sched_switch")
int at_tracepoint(__u64 *ctx)
{
    events += ctx[1] != 0;
    return 0;
}

SEC("tp/syscalls/sys_enter_openat")
int at_tp(void *ctx)
{
    events += 1;
    return 0;
}

SEC("raw_tracepoint/sched_switch")
int at_raw_tracepoint(struct bpf_raw_tracepoint_args *ctx)
{
    events += ctx->args[0];
    return 0;
}

SEC("tp_btf/sched_switch")
int btf_tracepoint(__u64 *ctx)
{
    struct task_struct *task = (void *)ctx[1];
    __u64 *times = bpf_task_storage_get(&of_task, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);

    if (times)
        *times += 1;
    return 0;
}

SEC("fentry/bpf_prog_test_run_xdp")
int before_run(__u64 *ctx)
{
    events += ctx[0] != 0;
    return 0;
}

SEC("fexit/bpf_prog_test_run_xdp")
int after_run(__u64 *ctx)
{
    events += ctx[3] == 0;
    return 0;
}

SEC("fmod_ret/security_file_open")
int instead(__u64 *ctx)
{
    return 0;
}

SEC("lsm/file_open")
int on_open(__u64 *ctx)
{
    events += 1;
    return 0;
}

SEC("iter/bpf_map")
int each_map(void *ctx)
{
    return 0;
}

SEC("perf_event")
int on_sample(struct bpf_perf_event_data *ctx)
{
    events += ctx->sample_period;
    return 0;
}

LICENSE("GPL");
