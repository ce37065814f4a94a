// verdict: reject
// kernel: R1 invalid mem access 'mem_or_null'
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct point {
	int x, y;
	long z;
};

__attribute__((noinline)) int first(struct point *p)
{
	return p->x;
}

SEC("xdp") int program(struct xdp_md *ctx)
{
	struct point p = {};

	asm volatile("" : : "r"(&p) : "memory");
	return first(&p);
}

char _license[] SEC("license") = "GPL";
