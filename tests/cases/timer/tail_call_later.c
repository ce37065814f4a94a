// A function that is called later does not go on in another program.
// verdict: reject
// kernel: R1 type=map_ptr expected=ctx
#include "values.h"

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} programs SEC(".maps");

static int expired(void *map, __u32 *key, struct flow *flow)
{
	bpf_tail_call(map, &programs, 0);
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
