// A helper does not get the bytes of a lock.
// verdict: reject
// kernel: bpf_spin_lock cannot be accessed directly by load/store
#include "values.h"

SEC("tc")
int program(struct __sk_buff *skb)
{
	struct counter *value = find(&counters, 1);
	__u32 key = 3;

	if (!value)
		return 0;
	bpf_map_update_elem(&counters, &key, value, BPF_ANY);
	return 0;
}
