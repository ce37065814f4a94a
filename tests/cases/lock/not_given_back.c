// A lock is given back before the program ends.
// verdict: reject
// kernel: BPF_EXIT instruction in main prog cannot be used inside bpf_spin_lock-ed region
#include "values.h"

SEC("tc")
int program(struct __sk_buff *skb)
{
	struct counter *value = find(&counters, 1);

	if (!value)
		return 0;
	bpf_spin_lock(&value->lock);
	value->packets++;
	return 0;
}
