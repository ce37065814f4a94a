// Walks through maps: all elements, until a callback has enough, and of this CPU.
#include "runs.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 5);
	__type(key, __u32);
	__type(value, __u64);
} array SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 5);
	__type(key, __u32);
	__type(value, __u64);
} hash SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 3);
	__type(key, __u32);
	__type(value, __u64);
} per_cpu SEC(".maps");

static long in_order(void *map, __u32 *key, __u64 *value, __u32 *seen)
{
	NOTE(*seen, *key);
	NOTE(*seen, *value);
	*value += 3;
	return *key == 3;
}

static long in_any(void *map, __u32 *key, __u64 *value, __u32 *seen)
{
	*seen += *key * 7 + *value;
	return 0;
}

static long removes(void *map, __u32 *key, __u64 *value, __u32 *seen)
{
	*seen += bpf_map_delete_elem(map, key);
	return 0;
}

SEC("tc")
int program(struct __sk_buff *skb)
{
	__u32 seen = 0;

	for (__u32 key = 0; key < 4; key++) {
		__u64 value = key * 10 + 1;

		bpf_map_update_elem(&hash, &key, &value, BPF_ANY);
		bpf_map_update_elem(&array, &key, &value, BPF_ANY);
		bpf_map_update_elem(&per_cpu, &key, &value, BPF_ANY);
	}
	NOTE(seen, bpf_for_each_map_elem(&array, in_order, &seen, 0));
	NOTE(seen, bpf_for_each_map_elem(&array, in_order, &seen, 0));
	NOTE(seen, bpf_for_each_map_elem(&per_cpu, in_order, &seen, 0));
	NOTE(seen, bpf_for_each_map_elem(&hash, in_any, &seen, 0));
	NOTE(seen, bpf_for_each_map_elem(&hash, in_any, &seen, 1));
	NOTE(seen, bpf_for_each_map_elem(&hash, removes, &seen, 0));
	NOTE(seen, bpf_for_each_map_elem(&hash, in_any, &seen, 0));
	return seen;
}
