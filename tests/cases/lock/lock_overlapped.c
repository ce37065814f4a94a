// Not even together with what is before.
// verdict: reject
// kernel: bpf_spin_lock cannot be accessed directly by load/store
#include "values.h"

SEC("tc")
int program(struct __sk_buff *skb)
{
	struct counter *value = find(&counters, 1);

	if (!value)
		return 0;
	*(volatile __u64 *)value = 0;
	return 0;
}
