// verdict: reject
// kernel: dereference of modified ctx ptr R1 off=4 disallowed
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

__attribute__((noinline)) int interface(struct xdp_md *ctx)
{
	return ctx->ingress_ifindex;
}

SEC("xdp") int program(struct xdp_md *ctx)
{
	return interface((void *)ctx + 4);
}

char _license[] SEC("license") = "GPL";
