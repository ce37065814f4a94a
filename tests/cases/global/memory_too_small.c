// verdict: reject
// kernel: invalid access to packet, off=0 size=16, R1(id=0,off=0,r=15)
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
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;

	return data + 15 > end ? 0 : first(data);
}

char _license[] SEC("license") = "GPL";
