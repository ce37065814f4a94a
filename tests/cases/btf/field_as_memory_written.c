// A structure of the kernel is nothing to write to, also not for a helper.
// verdict: reject
// kernel: bpf_probe_read_kernel() may write into memory pointed by R1 type=trusted_ptr_
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct task_struct {
	char comm[16];
} __attribute__((preserve_access_index));

SEC("tp_btf/task_newtask")
int begins(unsigned long long *ctx)
{
	struct task_struct *task = (void *)ctx[0];

	return bpf_probe_read_kernel(task->comm, sizeof(task->comm), ctx);
}

char _license[] SEC("license") = "GPL";
