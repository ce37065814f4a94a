// A timer is made with the map that it is in.
// verdict: reject
// kernel: timer pointer in R1 map_uid=0 doesn't match map pointer in R2 map_uid=0
#include "values.h"

SEC("tc")
int program(struct __sk_buff *skb)
{
	struct flow *flow = find(&flows, 1);

	if (!flow)
		return 0;
	bpf_timer_init(&flow->timer, &first, CLOCK_MONOTONIC);
	return 0;
}
