// An exception callback is verified on its own, for any number.
// verdict: reject
// kernel: R1 invalid mem access 'scalar'
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern void bpf_throw(__u64 cookie) __ksym;

__attribute__((noinline)) int caught(__u64 cookie)
{
	return *(volatile int *)cookie;
}

SEC("xdp") __attribute__((btf_decl_tag("exception_callback:caught")))
int program(struct xdp_md *ctx)
{
	if (ctx->rx_queue_index > 64)
		bpf_throw(0);
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
