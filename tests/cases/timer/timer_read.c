// The bytes of a timer are not read.
// verdict: reject
// kernel: bpf_timer cannot be accessed directly by load/store
#include "values.h"

SEC("tc")
int program(struct __sk_buff *skb)
{
	struct flow *flow = find(&flows, 1);

	if (!flow)
		return 0;
	return *(volatile int *)&flow->timer;
}
