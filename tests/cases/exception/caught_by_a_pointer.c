// An exception callback takes one number.
// verdict: reject
// kernel: exception cb only supports single integer argument
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern void bpf_throw(__u64 cookie) __ksym;

__attribute__((noinline)) int caught(int *cookie)
{
	return cookie ? *cookie : 0;
}

SEC("xdp") __attribute__((btf_decl_tag("exception_callback:caught")))
int program(struct xdp_md *ctx)
{
	if (ctx->rx_queue_index > 64)
		bpf_throw(0);
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
