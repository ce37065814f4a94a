// A lock is taken where it is.
// verdict: reject
// kernel: off 0 doesn't point to 'struct bpf_spin_lock' that is at 4
#include "values.h"

SEC("tc")
int program(struct __sk_buff *skb)
{
	struct counter *value = find(&counters, 1);

	if (!value)
		return 0;
	bpf_spin_lock((void *)value);
	return 0;
}
