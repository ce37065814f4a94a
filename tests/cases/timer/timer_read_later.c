// The bytes of the timer are the kernel's in that function too.
// verdict: reject
// kernel: bpf_timer cannot be accessed directly by load/store
#include "values.h"

static int expired(void *map, __u32 *key, struct flow *flow)
{
	return *(volatile int *)&flow->timer;
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
