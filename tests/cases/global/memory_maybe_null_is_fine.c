// verdict: accept
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct point {
	int x, y;
	long z;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, int);
	__type(value, struct point);
	__uint(max_entries, 4);
} points SEC(".maps");

__attribute__((noinline)) int first(struct point *p)
{
	return p ? p->x : 0;
}

SEC("xdp") int program(struct xdp_md *ctx)
{
	int key = 1;

	return first(bpf_map_lookup_elem(&points, &key));
}

char _license[] SEC("license") = "GPL";
