// An address in the arena is passed as one, or as a number: the function casts it.
// verdict: accept
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

__attribute__((noinline))
int first(char *at __attribute__((btf_decl_tag("arg:arena"))))
{
	return at ? 1 : 0;
}

SEC("xdp") int program(struct xdp_md *ctx)
{
	return first((char *)(long)ctx->rx_queue_index);
}

char _license[] SEC("license") = "GPL";
