// Of the kernel's structures a function of a congestion control writes to its socket alone, also
// in an RCU section.
// verdict: reject
// kernel: only read is supported
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct file {
	__u32 f_flags;
} __attribute__((preserve_access_index));

struct socket {
	struct file *file;
} __attribute__((preserve_access_index));

struct sock {
	struct socket *sk_socket;
} __attribute__((preserve_access_index));

struct tcp_congestion_ops {
	__u32 (*ssthresh)(struct sock *sk);
	void (*cong_avoid)(struct sock *sk, __u32 ack, __u32 acked);
	__u32 (*undo_cwnd)(struct sock *sk);
	char name[16];
};

void bpf_rcu_read_lock(void) __ksym;
void bpf_rcu_read_unlock(void) __ksym;

SEC("struct_ops/program") void program(__u64 *ctx)
{
	struct sock *sk = (void *)ctx[0];
	struct socket *of;

	bpf_rcu_read_lock();
	of = sk->sk_socket;
	if (of)
		*(volatile __u64 *)&of->file = 0;
	bpf_rcu_read_unlock();
}

SEC(".struct_ops") struct tcp_congestion_ops slow = {
	.cong_avoid = (void *)program,
	.name = "case",
};

char _license[] SEC("license") = "GPL";
