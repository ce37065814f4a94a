// So may a socket filter.
// verdict: reject
// kernel: socket filter progs cannot use bpf_spin_lock yet
#include "values.h"

SEC("socket")
int program(struct __sk_buff *skb)
{
	return find(&counters, 1) != 0;
}
