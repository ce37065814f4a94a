// What a function of a congestion control writes of its socket: newer kernels let it write more.
// verdict: accept
// refused by: 6.1
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct tcp_sock {
	__u32 app_limited;
} __attribute__((preserve_access_index));

struct sock;

struct tcp_congestion_ops {
	__u32 (*ssthresh)(struct sock *sk);
	void (*cong_avoid)(struct sock *sk, __u32 ack, __u32 acked);
	__u32 (*undo_cwnd)(struct sock *sk);
	char name[16];
};

SEC("struct_ops/program") void program(__u64 *ctx)
{
	struct tcp_sock *sk = (void *)ctx[0];

	*(volatile __u32 *)&sk->app_limited = 1;
}

SEC(".struct_ops") struct tcp_congestion_ops limited = {
	.cong_avoid = (void *)program,
	.name = "case",
};

char _license[] SEC("license") = "GPL";
