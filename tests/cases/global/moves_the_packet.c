// verdict: reject
// kernel: R6 invalid mem access 'scalar'
// refused by: 6.12
// taken by: 6.1
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

__attribute__((noinline)) int shorten(struct xdp_md *ctx)
{
	return bpf_xdp_adjust_head(ctx, 4);
}

SEC("xdp") int program(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;

	if (data + 16 > end)
		return 0;
	shorten(ctx);
	return *(char *)data;
}

char _license[] SEC("license") = "GPL";
