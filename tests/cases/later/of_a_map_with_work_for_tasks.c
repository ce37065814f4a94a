// What is said of two maps is about work for tasks if the one that is given has it, whatever is made.
// verdict: reject
// kernel: bpf_task_work pointer in R2 map_uid=0 doesn't match map pointer in R3 map_uid=0
#include "values.h"

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 18, 0)
struct bpf_task_work {
	__u64 opaque;
} __attribute__((aligned(8)));
#endif

struct task {
	struct bpf_task_work work;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, struct task);
} tasks SEC(".maps");

SEC("tc")
int program(struct __sk_buff *skb)
{
	struct job *job = find(1);

	if (!job)
		return 0;
	bpf_wq_init(&job->work, &tasks, 0);
	return 0;
}
