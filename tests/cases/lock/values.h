// Maps whose values have a lock.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct counter {
	__u32 packets;
	struct bpf_spin_lock lock;
	__u64 bytes;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, struct counter);
} counters SEC(".maps"), others SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, struct counter);
} slots SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, __u64);
} numbers SEC(".maps");

static struct counter *find(void *map, __u32 key)
{
	return bpf_map_lookup_elem(map, &key);
}

char _license[] SEC("license") = "GPL";
