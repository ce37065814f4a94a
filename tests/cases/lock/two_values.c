// Not even of two values.
// verdict: reject
// kernel: function calls are not allowed while holding a lock
#include "values.h"

SEC("tc")
int program(struct __sk_buff *skb)
{
	struct counter *value = find(&counters, 1);
	struct counter *second = find(&counters, 2);

	if (!value || !second)
		return 0;
	bpf_spin_lock(&value->lock);
	bpf_spin_lock(&second->lock);
	bpf_spin_unlock(&second->lock);
	bpf_spin_unlock(&value->lock);
	return 0;
}
