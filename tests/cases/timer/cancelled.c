// A timer is cancelled.
// verdict: accept
#include "values.h"

SEC("tc")
int program(struct __sk_buff *skb)
{
	struct flow *flow = find(&flows, 1);

	if (!flow)
		return 0;
	bpf_timer_cancel(&flow->timer);
	return 0;
}
