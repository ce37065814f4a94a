// An exception callback does not throw.
// verdict: reject
// kernel: bpf_throw kfunc (insn
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern void bpf_throw(__u64 cookie) __ksym;

__attribute__((noinline)) int caught(__u64 cookie)
{
	if (cookie > 1)
		bpf_throw(1);
	return 0;
}

SEC("xdp") __attribute__((btf_decl_tag("exception_callback:caught")))
int program(struct xdp_md *ctx)
{
	if (ctx->rx_queue_index > 64)
		bpf_throw(0);
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
