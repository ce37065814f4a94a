// verdict: reject
// kernel: Global function keep() doesn't return scalar. Only those are supported.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

__attribute__((noinline)) void keep(int x)
{
	asm volatile("" : : "r"(x));
}

SEC("xdp") int program(struct xdp_md *ctx)
{
	keep(3);
	return 0;
}

char _license[] SEC("license") = "GPL";
