// Of a packet that is handed to another function only the bounds are asked, also where the
// program may not write to it.
// verdict: accept
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct point {
	int x, y;
};

__attribute__((noinline)) int behind(struct point *p)
{
	return p ? p->x : 0;
}

SEC("cgroup_skb/ingress") int program(struct __sk_buff *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;

	if (data + sizeof(struct point) > end)
		return 1;
	return behind(data) ? 1 : 0;
}

char _license[] SEC("license") = "GPL";
