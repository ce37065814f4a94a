// Sockets that nobody has.
#include "runs.h"

SEC("tc")
int program(struct __sk_buff *skb)
{
	struct bpf_sock_tuple tuple = {
		.ipv4 = { .saddr = 0x0100007f, .daddr = 0x0100007f, .sport = 1, .dport = 1 },
	};
	__u32 seen = 0;
	struct bpf_sock *sk;

	sk = bpf_sk_lookup_tcp(skb, &tuple, sizeof(tuple.ipv4), BPF_F_CURRENT_NETNS, 0);
	NOTE(seen, !sk);
	if (sk)
		bpf_sk_release(sk);
	sk = bpf_sk_lookup_udp(skb, &tuple, sizeof(tuple.ipv4), BPF_F_CURRENT_NETNS, 0);
	NOTE(seen, !sk);
	if (sk)
		bpf_sk_release(sk);
	return seen;
}
