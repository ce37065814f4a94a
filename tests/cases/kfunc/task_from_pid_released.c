// What bpf_task_from_pid acquires is given back.
// verdict: accept
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct task_struct;
extern struct task_struct *bpf_task_from_pid(int pid) __ksym;
extern void bpf_task_release(struct task_struct *p) __ksym;

SEC("tp/sched/sched_switch")
int released(void *ctx)
{
	struct task_struct *task = bpf_task_from_pid(1);

	if (task)
		bpf_task_release(task);
	return 0;
}

char _license[] SEC("license") = "GPL";
