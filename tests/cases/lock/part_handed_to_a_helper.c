// It may get what is before it.
// verdict: accept
#include "values.h"

SEC("tc")
int program(struct __sk_buff *skb)
{
	struct counter *value = find(&counters, 1);
	__u64 sum;

	if (!value)
		return 0;
	sum = bpf_csum_diff(0, 0, (void *)value, 4, 0);
	return sum & 1;
}
