// A timer is where it is.
// verdict: reject
// kernel: off 0 doesn't point to 'struct bpf_timer' that is at 8
#include "values.h"

SEC("tc")
int program(struct __sk_buff *skb)
{
	struct flow *flow = find(&flows, 1);

	if (!flow)
		return 0;
	bpf_timer_cancel((void *)flow);
	return 0;
}
