// The key is only read.
// verdict: reject
// kernel: write to change key R2 not allowed
#include "values.h"

static int expired(void *map, __u32 *key, struct flow *flow)
{
	*key = 1;
	return 0;
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
