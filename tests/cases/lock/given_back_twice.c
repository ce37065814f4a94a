// Nor is it twice.
// verdict: reject
// kernel: bpf_spin_unlock without taking a lock
#include "values.h"

SEC("tc")
int program(struct __sk_buff *skb)
{
	struct counter *value = find(&counters, 1);

	if (!value)
		return 0;
	bpf_spin_lock(&value->lock);
	bpf_spin_unlock(&value->lock);
	bpf_spin_unlock(&value->lock);
	return 0;
}
