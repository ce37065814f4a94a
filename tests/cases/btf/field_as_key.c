// The kernel's prototypes do not say that keys of maps are only read.
// verdict: reject
// kernel: bpf_map_lookup_elem() may write into memory pointed by R2 type=trusted_ptr_
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct task_struct {
	char comm[16];
} __attribute__((preserve_access_index));

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, char[16]);
	__type(value, int);
} names SEC(".maps");

SEC("tp_btf/task_newtask")
int begins(unsigned long long *ctx)
{
	struct task_struct *task = (void *)ctx[0];

	return bpf_map_lookup_elem(&names, task->comm) != 0;
}

char _license[] SEC("license") = "GPL";
