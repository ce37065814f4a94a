// verdict: reject
// kernel: R1 is not a scalar
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

__attribute__((noinline)) int twice(int x)
{
	return x * 2;
}

SEC("xdp") int program(struct xdp_md *ctx)
{
	return ((int (*)(void *))twice)(ctx);
}

char _license[] SEC("license") = "GPL";
