// A program that goes on in itself until the kernel has enough of it.
#include "runs.h"

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u32);
} programs SEC(".maps");

__u32 times;

SEC("tc")
int program(struct __sk_buff *skb)
{
	times++;
	bpf_tail_call(skb, &programs, 2);
	bpf_tail_call(skb, &programs, 1);
	bpf_tail_call(skb, &programs, 0);
	return times;
}
