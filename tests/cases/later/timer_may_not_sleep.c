// What a timer calls must not sleep, even if the program may.
// verdict: reject
// kernel: helper call might sleep in a non-sleepable prog
#include "values.h"

struct ticking {
	struct bpf_timer timer;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ticking);
} ticking SEC(".maps");

static int tick(void *map, int *key, void *value)
{
	char text[8];

	bpf_copy_from_user(text, sizeof(text), 0);
	return 0;
}

SEC("syscall")
int program(void *ctx)
{
	__u32 key = 0;
	struct ticking *value = bpf_map_lookup_elem(&ticking, &key);

	if (value)
		bpf_timer_set_callback(&value->timer, tick);
	return 0;
}
