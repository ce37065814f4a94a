// verdict: accept
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct point {
	int x, y;
	long z;
};

__attribute__((noinline)) int by_number(int x, long y)
{
	return x > 3 ? y : 7;
}

__attribute__((noinline)) int by_memory(struct point *p)
{
	if (!p)
		return 1;
	p->x = 3;
	return p->y;
}

__attribute__((noinline)) int by_context(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;

	return data + 14 > end ? 0 : *(char *)data;
}

SEC("xdp") int program(struct xdp_md *ctx)
{
	struct point p = {1, 2, 3};

	return by_number(ctx->ingress_ifindex, 2) + by_memory(&p) + by_context(ctx);
}

char _license[] SEC("license") = "GPL";
