// A tail call in a function: what the other program returns is what the function does.
#include "runs.h"

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} programs SEC(".maps");

__u32 times;

static __noinline int other(struct __sk_buff *skb)
{
	bpf_tail_call(skb, &programs, 0);
	return 5;
}

SEC("tc")
int program(struct __sk_buff *skb)
{
	volatile __u32 kept = ++times;

	return other(skb) * 3 + kept;
}
