// Not with one that was found in another lookup.
// verdict: reject
// kernel: timer pointer in R1 map_uid=
#include "values.h"

SEC("tc")
int program(struct __sk_buff *skb)
{
	__u32 zero = 0, one = 1;
	void *map = bpf_map_lookup_elem(&outer, &zero);
	void *another = bpf_map_lookup_elem(&outer, &one);
	struct flow *flow;

	if (!map || !another)
		return 0;
	flow = find(map, 0);
	if (!flow)
		return 0;
	bpf_timer_init(&flow->timer, another, CLOCK_MONOTONIC);
	return 0;
}
