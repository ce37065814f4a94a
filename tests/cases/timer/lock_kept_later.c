// What it takes it gives back.
// verdict: reject
// kernel: BPF_EXIT instruction in main prog cannot be used inside bpf_spin_lock-ed region
#include "values.h"

struct guarded {
	struct bpf_spin_lock lock;
	int number;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct guarded);
} guarded SEC(".maps");

static int expired(void *map, __u32 *key, struct flow *flow)
{
	__u32 zero = 0;
	struct guarded *value = bpf_map_lookup_elem(&guarded, &zero);

	if (value)
		bpf_spin_lock(&value->lock);
	return 0;
}

SEC("tc")
int program(struct __sk_buff *skb)
{
	struct flow *flow = find(&flows, 1);

	if (!flow)
		return 0;
	bpf_timer_set_callback(&flow->timer, expired);
	return 0;
}
