// A function may take a lock, and its caller give it back.
// verdict: accept
// refused by: 6.1
#include "values.h"

static __attribute__((noinline)) void take(struct counter *value)
{
	bpf_spin_lock(&value->lock);
}

SEC("tc")
int program(struct __sk_buff *skb)
{
	struct counter *value = find(&counters, 1);

	if (!value)
		return 0;
	take(value);
	value->packets++;
	bpf_spin_unlock(&value->lock);
	return 0;
}
