// Its global functions may not: nobody knows what they do.
// verdict: reject
// kernel: global function calls are not allowed while holding a lock
#include "values.h"

__attribute__((noinline)) int seven(void)
{
	asm volatile("");
	return 7;
}

SEC("tc")
int program(struct __sk_buff *skb)
{
	struct counter *value = find(&counters, 1);

	if (!value)
		return 0;
	bpf_spin_lock(&value->lock);
	seven();
	bpf_spin_unlock(&value->lock);
	return 0;
}
