// The function that is called later returns 0.
// verdict: reject
// kernel: At async callback return the register R0 has smin=1 smax=1 should have been in [0, 0]
#include "values.h"

static int expired(void *map, __u32 *key, struct flow *flow)
{
	return 1;
}

SEC("tc")
int program(struct __sk_buff *skb)
{
	struct flow *flow = find(&flows, 1);

	if (!flow)
		return 0;
	bpf_timer_set_callback(&flow->timer, expired);
	return 0;
}
