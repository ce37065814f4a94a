// verdict: reject
// kernel: R1 type=ctx expected=fp
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct point {
	int x, y;
	long z;
};

__attribute__((noinline)) int first(struct point *p)
{
	return p ? p->x : 0;
}

SEC("xdp") int program(struct xdp_md *ctx)
{
	return first((void *)ctx);
}

char _license[] SEC("license") = "GPL";
