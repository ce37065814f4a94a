// A field of a structure that is trusted is memory, which functions read.
// verdict: accept
// refused by: 6.1
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct task_struct {
	char comm[16];
} __attribute__((preserve_access_index));

SEC("tp_btf/task_newtask")
int begins(unsigned long long *ctx)
{
	struct task_struct *task = (void *)ctx[0];

	return bpf_strncmp(task->comm, sizeof(task->comm), "init") == 0;
}

char _license[] SEC("license") = "GPL";
