// A packet that is only read; it begins behind the link layer's header.
#include "runs.h"

SEC("cgroup_skb/egress")
int program(struct __sk_buff *skb)
{
	__u8 *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	__u32 seen = 0;
	__u8 two[2];

	NOTE(seen, skb->len);
	NOTE(seen, end - data);
	if (data + 20 <= end) {
		NOTE(seen, data[0]);
		NOTE(seen, data[19]);
	}
	NOTE(seen, bpf_skb_load_bytes(skb, 7, two, 2));
	NOTE(seen, two[1]);
	NOTE(seen, bpf_skb_load_bytes(skb, 700, two, 2));
	NOTE(seen, two[0]);
	skb->priority = 9;
	skb->cb[1] = 77;
	NOTE(seen, skb->priority + skb->cb[1]);
	// All of the number, bit by bit, does not fit what such programs return.
	return (seen ^ seen >> 16 ^ seen >> 8 ^ seen >> 3) & 1;
}
