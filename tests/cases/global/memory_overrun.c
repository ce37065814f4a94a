// verdict: reject
// kernel: invalid access to memory, mem_size=16 off=16 size=4
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct point {
	int x, y;
	long z;
};

__attribute__((noinline)) int behind(struct point *p)
{
	return p ? ((int *)p)[4] : 0;
}

SEC("xdp") int program(struct xdp_md *ctx)
{
	struct point p = {};

	asm volatile("" : : "r"(&p) : "memory");
	return behind(&p);
}

char _license[] SEC("license") = "GPL";
