// What the helpers of timers say: before the timer is there, twice, and when it is gone.
#include "runs.h"

struct value {
	__u64 before;
	struct bpf_timer timer;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct value);
} timers SEC(".maps");

static int expired(void *map, __u32 *key, struct value *value)
{
	return 0;
}

SEC("tc")
int program(struct __sk_buff *skb)
{
	const __u64 hour = 3600ull * 1000 * 1000 * 1000;
	struct value empty = {};
	__u32 seen = 0, key = 1;
	struct value *value = bpf_map_lookup_elem(&timers, &key);

	if (!value)
		return 0;
	NOTE(seen, bpf_timer_start(&value->timer, hour, 0));
	NOTE(seen, bpf_timer_cancel(&value->timer));
	NOTE(seen, bpf_timer_set_callback(&value->timer, expired));
	NOTE(seen, bpf_timer_init(&value->timer, &timers, 5));
	NOTE(seen, bpf_timer_init(&value->timer, &timers, 1));
	NOTE(seen, bpf_timer_init(&value->timer, &timers, 1));
	NOTE(seen, bpf_timer_start(&value->timer, hour, 0));
	NOTE(seen, bpf_timer_set_callback(&value->timer, expired));
	NOTE(seen, bpf_timer_start(&value->timer, hour, 4));
	NOTE(seen, bpf_timer_start(&value->timer, hour, 0));
	NOTE(seen, bpf_timer_start(&value->timer, hour, 0));
	NOTE(seen, bpf_timer_cancel(&value->timer));
	NOTE(seen, bpf_timer_cancel(&value->timer));
	NOTE(seen, bpf_timer_start(&value->timer, hour, 0));
	NOTE(seen, bpf_map_update_elem(&timers, &key, &empty, BPF_ANY));
	NOTE(seen, bpf_timer_cancel(&value->timer));
	NOTE(seen, bpf_timer_init(&value->timer, &timers, 7));
	// What fails leaves the timer.
	NOTE(seen, bpf_map_update_elem(&timers, &key, &empty, BPF_NOEXIST));
	NOTE(seen, bpf_timer_init(&value->timer, &timers, 7));
	NOTE(seen, bpf_map_delete_elem(&timers, &key));
	NOTE(seen, bpf_timer_init(&value->timer, &timers, 7));
	return seen;
}
