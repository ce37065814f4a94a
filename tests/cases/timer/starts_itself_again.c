// Its function may start it again, and knows the key.
// verdict: accept
#include "values.h"

static int expired(void *map, __u32 *key, struct flow *flow)
{
	flow->seen += *key;
	bpf_timer_start(&flow->timer, 1000000, 0);
	return 0;
}

SEC("tc")
int program(struct __sk_buff *skb)
{
	struct flow *flow = find(&flows, 1);

	if (!flow)
		return 0;
	bpf_timer_init(&flow->timer, &flows, CLOCK_MONOTONIC);
	bpf_timer_set_callback(&flow->timer, expired);
	bpf_timer_start(&flow->timer, 1000000, 0);
	return 0;
}
