// What another function is handed it may read: so the values of a map that programs may only write
// are not for it.
// verdict: reject
// kernel: read from map forbidden, value_size=8 off=0 size=8
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct point {
	int x, y;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_WRONLY_PROG);
	__type(key, int);
	__type(value, struct point);
} written SEC(".maps");

__attribute__((noinline)) int behind(struct point *p)
{
	return p ? p->x : 0;
}

SEC("xdp") int program(struct xdp_md *ctx)
{
	int key = 0;
	struct point *p = bpf_map_lookup_elem(&written, &key);

	return p ? behind(p) : 0;
}

char _license[] SEC("license") = "GPL";
