// What is only said to be the socket is not written, wherever it is from.
// verdict: reject
// kernel: only read is supported
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct sock;

struct tcp_sock {
	__u32 snd_cwnd;
} __attribute__((preserve_access_index));

struct tcp_congestion_ops {
	__u32 (*ssthresh)(struct sock *sk);
	void (*cong_avoid)(struct sock *sk, __u32 ack, __u32 acked);
	__u32 (*undo_cwnd)(struct sock *sk);
	char name[16];
};

void *bpf_rdonly_cast(const void *obj, __u32 type) __ksym;

SEC("struct_ops/program") void program(__u64 *ctx)
{
	struct tcp_sock *tp;

	tp = bpf_rdonly_cast((void *)ctx[0], __builtin_btf_type_id(*tp, 1));
	tp->snd_cwnd = 5;
}

SEC(".struct_ops") struct tcp_congestion_ops slow = {
	.cong_avoid = (void *)program,
	.name = "case",
};

char _license[] SEC("license") = "GPL";
