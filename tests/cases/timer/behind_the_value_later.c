// And the value has an end.
// verdict: reject
// kernel: invalid access to map value, value_size=32 off=32 size=8
#include "values.h"

static int expired(void *map, __u32 *key, struct flow *flow)
{
	return *(volatile __u64 *)(flow + 1);
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
