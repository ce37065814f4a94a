// What helpers have to say is asked before.
// verdict: accept
#include "values.h"

SEC("tc")
int program(struct __sk_buff *skb)
{
	struct counter *value = find(&counters, 1);
	__u64 now = bpf_ktime_get_ns();

	if (!value)
		return 0;
	bpf_spin_lock(&value->lock);
	value->bytes = now;
	bpf_spin_unlock(&value->lock);
	return 0;
}
