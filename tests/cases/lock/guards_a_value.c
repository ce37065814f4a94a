// A value is changed while its lock is held.
// verdict: accept
#include "values.h"

SEC("tc")
int program(struct __sk_buff *skb)
{
	struct counter *value = find(&counters, 1);

	if (!value)
		return 0;
	bpf_spin_lock(&value->lock);
	value->packets++;
	value->bytes += skb->len;
	bpf_spin_unlock(&value->lock);
	return 0;
}
