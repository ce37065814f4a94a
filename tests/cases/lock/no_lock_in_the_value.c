// And in values that have one.
// verdict: reject
// kernel: map 'numbers' has no valid bpf_spin_lock
#include "values.h"

SEC("tc")
int program(struct __sk_buff *skb)
{
	void *value = find(&numbers, 1);

	if (!value)
		return 0;
	bpf_spin_lock(value);
	bpf_spin_unlock(value);
	return 0;
}
