// A timer is in a map.
// verdict: reject
// kernel: R1 type=fp expected=map_value
#include "values.h"

SEC("tc")
int program(struct __sk_buff *skb)
{
	struct bpf_timer timer = {};

	bpf_timer_cancel(&timer);
	return 0;
}
