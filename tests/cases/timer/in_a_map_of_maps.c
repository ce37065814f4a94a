// A timer in a map of maps is made with the map that was found there.
// verdict: accept
#include "values.h"

SEC("tc")
int program(struct __sk_buff *skb)
{
	__u32 zero = 0;
	void *map = bpf_map_lookup_elem(&outer, &zero);
	struct flow *flow;

	if (!map)
		return 0;
	flow = find(map, 0);
	if (!flow)
		return 0;
	bpf_timer_init(&flow->timer, map, CLOCK_MONOTONIC);
	return 0;
}
