// No bytes are taken of a map's key, also where a helper wants none.
// verdict: reject
// kernel: invalid access to map key, key_size=4 off=0 size=0
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4);
	__type(key, int);
	__type(value, int);
} numbers SEC(".maps");

static long each(void *map, int *key, int *value, void *context)
{
	return bpf_csum_diff(0, 0, (void *)key, 0, 0) & 1;
}

SEC("tc") int program(struct __sk_buff *skb)
{
	bpf_for_each_map_elem(&numbers, each, 0, 0);
	return 0;
}

char _license[] SEC("license") = "GPL";
