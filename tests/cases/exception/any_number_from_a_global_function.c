// A global function throws any number, which a program of the type could not: it is verified on
// its own.
// verdict: accept
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern void bpf_throw(__u64 cookie) __ksym;

__attribute__((noinline)) int checked(int len)
{
	if (len > 64)
		bpf_throw(100);
	return len;
}

SEC("cgroup/connect4") int program(struct bpf_sock_addr *ctx)
{
	return checked(ctx->user_port) == 1;
}

char _license[] SEC("license") = "GPL";
