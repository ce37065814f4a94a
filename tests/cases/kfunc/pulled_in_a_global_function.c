// A global function that calls bpf_xdp_pull_data ends pointers to the packet where it is called.
// verdict: reject
// kernel: R6 invalid mem access 'scalar'
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern int bpf_xdp_pull_data(struct xdp_md *ctx, __u32 len) __ksym;

__attribute__((noinline)) int pull(struct xdp_md *ctx)
{
	return bpf_xdp_pull_data(ctx, 40);
}

SEC("xdp")
int pulls(struct xdp_md *ctx)
{
	char *data = (void *)(long)ctx->data;

	if (data + 1 > (char *)(long)ctx->data_end)
		return XDP_PASS;
	pull(ctx);
	return *data;
}

char _license[] SEC("license") = "GPL";
