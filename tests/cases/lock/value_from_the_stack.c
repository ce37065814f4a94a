// A value that a helper copies in has a lock that nobody looks at.
// verdict: accept
#include "values.h"

SEC("tc")
int program(struct __sk_buff *skb)
{
	struct counter fresh = { .packets = 1 };
	__u32 key = 3;

	bpf_map_update_elem(&counters, &key, &fresh, BPF_ANY);
	return 0;
}
