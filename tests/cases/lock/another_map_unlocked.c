// Two lookups are two values, and two maps two maps.
// verdict: reject
// kernel: bpf_spin_unlock of different lock
#include "values.h"

SEC("tc")
int program(struct __sk_buff *skb)
{
	struct counter *value = find(&counters, 1);
	struct counter *second = find(&others, 1);

	if (!value || !second)
		return 0;
	bpf_spin_lock(&value->lock);
	bpf_spin_unlock(&second->lock);
	return 0;
}
