// Functions of the kernel for congestion control are called with the socket.
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

extern __u32 tcp_reno_ssthresh(struct sock *sk) __ksym;

SEC("struct_ops/program") __u32 program(__u64 *ctx)
{
	return tcp_reno_ssthresh((void *)ctx[0]);
}

SEC(".struct_ops") struct tcp_congestion_ops slow = {
	.ssthresh = (void *)program,
	.name = "case",
};

char _license[] SEC("license") = "GPL";
