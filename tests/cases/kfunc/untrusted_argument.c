// Also what is only looked at must not be just anywhere.
// verdict: reject
// kernel: arg#3 is untrusted_ptr_ expected ptr_ or socket
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct task_struct;
extern int bpf_copy_from_user_task_str(void *dst, __u32 size, const void *from,
				       struct task_struct *task, __u64 flags) __ksym;

struct task_struct {
	struct task_struct *last_wakee;
} __attribute__((preserve_access_index));

struct bpf_iter__task {
	void *meta;
	struct task_struct *task;
};

SEC("iter.s/task")
int copies(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	char text[8];

	if (task)
		bpf_copy_from_user_task_str(text, sizeof(text), 0, task->last_wakee, 0);
	return 0;
}

char _license[] SEC("license") = "GPL";
