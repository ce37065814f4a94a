// In iterators over TCP and Unix sockets, options can be asked for and set.
// verdict: accept
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct sock_common;
struct bpf_iter__tcp {
	void *meta;
	struct sock_common *sk_common;
};

SEC("iter/tcp")
int options(struct bpf_iter__tcp *ctx)
{
	struct sock_common *sk = ctx->sk_common;
	int value = 1;

	if (!sk)
		return 0;
	bpf_setsockopt(sk, 1, 2, &value, sizeof(value));
	bpf_getsockopt(sk, 1, 2, &value, sizeof(value));
	return 0;
}

char _license[] SEC("license") = "GPL";
