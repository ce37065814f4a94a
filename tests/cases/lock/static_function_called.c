// The program's own static functions may be called while a lock is held.
// verdict: accept
// refused by: 6.1
#include "values.h"

static __attribute__((noinline)) void add(struct counter *value, __u32 len)
{
	value->packets++;
	value->bytes += len;
}

SEC("tc")
int program(struct __sk_buff *skb)
{
	struct counter *value = find(&counters, 1);

	if (!value)
		return 0;
	bpf_spin_lock(&value->lock);
	add(value, skb->len);
	bpf_spin_unlock(&value->lock);
	return 0;
}
