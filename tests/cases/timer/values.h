// Maps whose values have a timer.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define CLOCK_MONOTONIC 1

struct flow {
	__u64 packets;
	struct bpf_timer timer;
	__u64 seen;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, struct flow);
} flows SEC(".maps");

struct one_flow {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct flow);
} first SEC(".maps"), second SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 2);
	__type(key, __u32);
	__array(values, struct one_flow);
} outer SEC(".maps") = {
	.values = { &first, &second },
};

static struct flow *find(void *map, __u32 key)
{
	return bpf_map_lookup_elem(map, &key);
}

char _license[] SEC("license") = "GPL";
