// The verifier must see it.
// verdict: reject
// kernel: At async callback return the register R0 has unknown scalar value should have been in [0, 0]
#include "values.h"

static __u64 expired(void *map, __u32 *key, struct flow *flow)
{
	return flow->packets;
}

SEC("tc")
int program(struct __sk_buff *skb)
{
	struct flow *flow = find(&flows, 1);

	if (!flow)
		return 0;
	bpf_timer_set_callback(&flow->timer, (void *)expired);
	return 0;
}
