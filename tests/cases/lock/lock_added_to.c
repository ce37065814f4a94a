// Nor by an atomic operation.
// verdict: reject
// kernel: bpf_spin_lock cannot be accessed directly by load/store
#include "values.h"

SEC("tc")
int program(struct __sk_buff *skb)
{
	struct counter *value = find(&counters, 1);

	if (!value)
		return 0;
	__sync_fetch_and_add((int *)&value->lock, 1);
	return 0;
}
