// What bpf_task_from_pid acquires must be given back.
// verdict: reject
// kernel: Unreleased reference
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct task_struct;
extern struct task_struct *bpf_task_from_pid(int pid) __ksym;

SEC("tp/sched/sched_switch")
int kept(void *ctx)
{
	struct task_struct *task = bpf_task_from_pid(1);

	return task != 0;
}

char _license[] SEC("license") = "GPL";
