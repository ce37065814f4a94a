// A tag that the kernel does not know makes a function one that is not called.
// verdict: reject
// kernel: arg#0 has unsupported set of tags
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

__attribute__((noinline))
int first(int *at __attribute__((btf_decl_tag("arg:precious"))))
{
	return at ? *at : 0;
}

SEC("xdp") int program(struct xdp_md *ctx)
{
	int value = ctx->rx_queue_index;

	return first(&value);
}

char _license[] SEC("license") = "GPL";
