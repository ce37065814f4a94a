// A callback may take a lock, and gives it back.
// verdict: accept
// refused by: 6.1
#include "values.h"

static long clear(void *map, __u32 *key, struct counter *value, void *ctx)
{
	bpf_spin_lock(&value->lock);
	value->packets = 0;
	bpf_spin_unlock(&value->lock);
	return 0;
}

SEC("tc")
int program(struct __sk_buff *skb)
{
	bpf_for_each_map_elem(&counters, clear, 0, 0);
	return 0;
}
