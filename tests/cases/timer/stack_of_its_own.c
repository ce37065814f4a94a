// The function has a stack of its own: both together may take more than 512 bytes.
// verdict: accept
#include "values.h"

static int expired(void *map, __u32 *key, struct flow *flow)
{
	volatile char buffer[400] = {};

	return buffer[7] & 0;
}

SEC("tc")
int program(struct __sk_buff *skb)
{
	volatile char buffer[400] = {};
	struct flow *flow = find(&flows, 1);

	if (!flow)
		return 0;
	bpf_timer_set_callback(&flow->timer, expired);
	return buffer[7];
}
