// A function that returns nothing has no bytes for a result: the kernel counts past it.
// verdict: reject
// kernel: func 'release' doesn't have 3-th argument
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

__u64 seen;

SEC("struct_ops/program") void program(__u64 *ctx)
{
	seen = ctx[1];
}

SEC(".struct_ops") struct tcp_congestion_ops slow = {
	.release = (void *)program,
	.name = "case",
};

char _license[] SEC("license") = "GPL";
