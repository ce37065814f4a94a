// A queue is in a map.
// verdict: reject
// kernel: arg#0 doesn't point to a map value
#include "values.h"

SEC("tc")
int program(struct __sk_buff *skb)
{
	struct bpf_wq work = {};

	bpf_wq_start(&work, 0);
	return 0;
}
