// verdict: accept
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

__attribute__((noinline)) int interface(struct xdp_md *ctx)
{
	return ctx->ingress_ifindex;
}

SEC("xdp") int program(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;

	if (data + 16 > end)
		return 0;
	interface(ctx);
	return *(char *)data;
}

char _license[] SEC("license") = "GPL";
