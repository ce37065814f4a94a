// A pointer found in a structure is not to be trusted where the program may sleep.
// verdict: reject
// kernel: R1 type=untrusted_ptr_ expected=ptr_, trusted_ptr_, rcu_ptr_
// taken by: 6.1
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct task_struct {
	struct task_struct *real_parent;
} __attribute__((preserve_access_index));

struct bpf_iter__task {
	void *meta;
	struct task_struct *task;
};

SEC("iter.s/task")
int of_parent(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;

	if (task)
		bpf_task_pt_regs(task->real_parent);
	return 0;
}

char _license[] SEC("license") = "GPL";
