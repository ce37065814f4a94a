// A function of a struct of the kernel gets its arguments: the socket is a TCP socket, some of
// whose members it may write.
// verdict: accept
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct sock;

struct tcp_sock {
	__u32 snd_cwnd;
	__u32 mss_cache;
} __attribute__((preserve_access_index));

struct tcp_congestion_ops {
	__u32 (*ssthresh)(struct sock *sk);
	void (*cong_avoid)(struct sock *sk, __u32 ack, __u32 acked);
	__u32 (*undo_cwnd)(struct sock *sk);
	__u64 (*get_info)(struct sock *sk, __u32 ext, int *attr, void *info);
	void (*release)(struct sock *sk);
	char name[16];
};

SEC("struct_ops/program") void program(__u64 *ctx)
{
	struct tcp_sock *tp = (void *)ctx[0];

	if (tp->snd_cwnd < ctx[2])
		tp->snd_cwnd = tp->mss_cache;
}

SEC(".struct_ops") struct tcp_congestion_ops slow = {
	.cong_avoid = (void *)program,
	.name = "case",
};

char _license[] SEC("license") = "GPL";
