// On every path.
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
	if (skb->len > 100)
		return 0;
	bpf_spin_unlock(&value->lock);
	return 0;
}
