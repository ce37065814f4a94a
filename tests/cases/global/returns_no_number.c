// verdict: reject
// kernel: At subprogram exit the register R0 is not a scalar value (mem_or_null)
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct point {
	int x, y;
	long z;
};

__attribute__((noinline)) long address(struct point *p)
{
	return (long)p;
}

SEC("xdp") int program(struct xdp_md *ctx)
{
	struct point p = {};

	asm volatile("" : : "r"(&p) : "memory");
	return !!address(&p);
}

char _license[] SEC("license") = "GPL";
