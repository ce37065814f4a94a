// Only the kernel calls an exception callback.
// verdict: reject
// kernel: insn 7 cannot call exception cb directly
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern void bpf_throw(__u64 cookie) __ksym;

__attribute__((noinline)) int caught(__u64 cookie)
{
	return cookie > 1;
}

SEC("xdp") __attribute__((btf_decl_tag("exception_callback:caught")))
int program(struct xdp_md *ctx)
{
	if (ctx->rx_queue_index > 64)
		bpf_throw(0);
	return caught(ctx->rx_queue_index);
}

char _license[] SEC("license") = "GPL";
