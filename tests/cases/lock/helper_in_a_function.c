// A function that is called with the lock held calls no helper either.
// verdict: reject
// kernel: function calls are not allowed while holding a lock
#include "values.h"

static __attribute__((noinline)) void stamp(struct counter *value)
{
	value->bytes = bpf_ktime_get_ns();
}

SEC("tc")
int program(struct __sk_buff *skb)
{
	struct counter *value = find(&counters, 1);

	if (!value)
		return 0;
	bpf_spin_lock(&value->lock);
	stamp(value);
	bpf_spin_unlock(&value->lock);
	return 0;
}
