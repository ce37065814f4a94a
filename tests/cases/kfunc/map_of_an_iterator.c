// The maps that an iterator shows are maps to kernel functions.
// verdict: accept
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, 33 /* BPF_MAP_TYPE_ARENA */);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 2);
} arena SEC(".maps");

struct bpf_map;
struct bpf_iter__bpf_map {
	void *meta;
	struct bpf_map *map;
};

void *bpf_arena_alloc_pages(void *map, void *addr, __u32 pages, int node, __u64 flags) __ksym;

SEC("iter.s/bpf_map")
int shows(struct bpf_iter__bpf_map *ctx)
{
	struct bpf_map *map = ctx->map;

	if (map)
		bpf_arena_alloc_pages(map, 0, 1, 0, 0);
	return 0;
}

char _license[] SEC("license") = "GPL";
