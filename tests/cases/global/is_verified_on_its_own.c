// verdict: reject
// kernel: invalid access to packet, off=0 size=1, R1(id=0,off=0,r=0)
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

__attribute__((noinline)) int first(struct xdp_md *ctx)
{
	return *(char *)(long)ctx->data;
}

SEC("xdp") int program(struct xdp_md *ctx)
{
	return first(ctx);
}

char _license[] SEC("license") = "GPL";
