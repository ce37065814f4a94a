// The bytes of a lock are the kernel's: they are not read.
// verdict: reject
// kernel: bpf_spin_lock cannot be accessed directly by load/store
#include "values.h"

SEC("tc")
int program(struct __sk_buff *skb)
{
	struct counter *value = find(&counters, 1);

	if (!value)
		return 0;
	return *(volatile int *)&value->lock;
}
