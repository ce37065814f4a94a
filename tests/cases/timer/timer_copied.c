// Nor handed to a helper.
// verdict: reject
// kernel: bpf_timer cannot be accessed directly by load/store
#include "values.h"

SEC("tc")
int program(struct __sk_buff *skb)
{
	struct flow *flow = find(&flows, 1);
	__u32 key = 2;

	if (!flow)
		return 0;
	bpf_map_update_elem(&flows, &key, flow, BPF_ANY);
	return 0;
}
