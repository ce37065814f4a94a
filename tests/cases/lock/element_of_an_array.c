// The values of an array have locks too.
// verdict: accept
#include "values.h"

SEC("tc")
int program(struct __sk_buff *skb)
{
	struct counter *value = find(&slots, skb->len & 3);

	if (!value)
		return 0;
	bpf_spin_lock(&value->lock);
	value->packets = 0;
	bpf_spin_unlock(&value->lock);
	return 0;
}
