// What a function that is called later calls is on the stack of whatever was interrupted: it has no
// stack of its own when the program calls it either.
// verdict: reject
// kernel: combined stack size of 2 calls is 560. Too large
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct value {
	struct bpf_timer timer;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, struct value);
} values SEC(".maps");

static __attribute__((noinline)) int deep(int number)
{
	asm volatile("r0 = 1; *(u8 *)(r10 - 504) = r0" ::: "r0");
	return number + 1;
}

static int later(void *map, int *key, struct value *value)
{
	deep(*key);
	return 0;
}

SEC("tp_btf/sys_enter") int program(void *ctx)
{
	int key = 0;
	struct value *value = bpf_map_lookup_elem(&values, &key);

	asm volatile("r0 = 1; *(u8 *)(r10 - 40) = r0" ::: "r0");
	if (!value)
		return 0;
	bpf_timer_init(&value->timer, &values, 1);
	bpf_timer_set_callback(&value->timer, later);
	deep(key);
	return 0;
}

char _license[] SEC("license") = "GPL";
