// Not all tags go together.
// verdict: reject
// kernel: arg#0 has invalid combination of tags
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

__attribute__((noinline))
int first(int *at __attribute__((btf_decl_tag("arg:nonnull"), btf_decl_tag("arg:nullable"))))
{
	return at ? 1 : 0;
}

SEC("xdp") int program(struct xdp_md *ctx)
{
	int value = ctx->rx_queue_index;

	return first(&value);
}

char _license[] SEC("license") = "GPL";
