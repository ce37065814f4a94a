// verdict: reject
// kernel: arg#0 expects pointer to ctx
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

__attribute__((noinline)) int interface(struct xdp_md *ctx)
{
	return ctx->ingress_ifindex;
}

SEC("xdp") int program(struct xdp_md *ctx)
{
	return interface(0);
}

char _license[] SEC("license") = "GPL";
