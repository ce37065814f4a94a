// verdict: reject
// kernel: arg#0 reference type('FWD opaque') size cannot be determined: -22
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct opaque;

__attribute__((noinline)) int is_there(struct opaque *p)
{
	asm volatile("");
	return !!p;
}

SEC("xdp") int program(struct xdp_md *ctx)
{
	long x = 0;

	return is_there((void *)&x);
}

char _license[] SEC("license") = "GPL";
