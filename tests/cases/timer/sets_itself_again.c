// And set itself again, without end.
// verdict: accept
#include "values.h"

static int expired(void *map, __u32 *key, struct flow *flow);

static int expired(void *map, __u32 *key, struct flow *flow)
{
	bpf_timer_set_callback(&flow->timer, expired);
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
