// A value that was not found has no lock.
// verdict: reject
// kernel: R1 type=map_value_or_null expected=map_value
#include "values.h"

SEC("tc")
int program(struct __sk_buff *skb)
{
	__u32 key = 1;
	void *value = bpf_map_lookup_elem(&numbers, &key);

	bpf_spin_lock(value);
	return 0;
}
