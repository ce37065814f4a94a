// A structure that is passed as trusted is one to kernel functions.
// verdict: accept
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct task_struct {
	int pid;
};

extern struct task_struct *bpf_task_acquire(struct task_struct *task) __ksym;
extern void bpf_task_release(struct task_struct *task) __ksym;

__attribute__((noinline))
int kept(struct task_struct *task __attribute__((btf_decl_tag("arg:trusted"))))
{
	struct task_struct *own = bpf_task_acquire(task);

	if (!own)
		return 0;
	bpf_task_release(own);
	return 1;
}

SEC("tracepoint/sched/sched_switch") int program(void *ctx)
{
	return kept((void *)bpf_get_current_task_btf());
}

char _license[] SEC("license") = "GPL";
