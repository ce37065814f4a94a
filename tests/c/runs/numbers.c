// Iterations over numbers: some, none, an end before the beginning, and too many.
#include "runs.h"

// struct bpf_iter_num, which older headers do not have.
struct iterator {
	__u64 opaque;
};

extern int bpf_iter_num_new(struct iterator *, int, int) __ksym;
extern int *bpf_iter_num_next(struct iterator *) __ksym;
extern void bpf_iter_num_destroy(struct iterator *) __ksym;

static __u32 numbers(int start, int end)
{
	struct iterator it;
	__u32 seen = 0;
	int *number;

	NOTE(seen, bpf_iter_num_new(&it, start, end));
	while ((number = bpf_iter_num_next(&it)))
		NOTE(seen, *number);
	NOTE(seen, !bpf_iter_num_next(&it));
	bpf_iter_num_destroy(&it);
	return seen;
}

SEC("tc")
int program(struct __sk_buff *skb)
{
	__u32 seen = 0;

	NOTE(seen, numbers(-2, 5));
	NOTE(seen, numbers(3, 3));
	NOTE(seen, numbers(5, 4));
	NOTE(seen, numbers(0, (1 << 23) + 1));
	NOTE(seen, numbers(-2147483647 - 1, -2147483645));
	NOTE(seen, numbers(2147483645, 2147483647));
	return seen;
}
