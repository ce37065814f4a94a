// Rounds of bpf_loop: all, some, none, too many, in one another, and with flags.
#include "runs.h"

struct seen {
	__u32 sum;
	__u32 last;
};

static int add(__u32 index, void *ctx)
{
	struct seen *seen = ctx;

	NOTE(seen->sum, index);
	return index == seen->last;
}

static int again(__u32 index, void *ctx)
{
	struct seen *seen = ctx;

	NOTE(seen->sum, bpf_loop(index, add, ctx, 0));
	return 0;
}

SEC("tc")
int program(struct __sk_buff *skb)
{
	struct seen seen = { .last = 7 };
	__u32 all = 0;

	NOTE(all, bpf_loop(5, add, &seen, 0));
	NOTE(all, bpf_loop(100, add, &seen, 0));
	NOTE(all, bpf_loop(0, add, &seen, 0));
	NOTE(all, bpf_loop((1 << 23) + 1, add, &seen, 0));
	NOTE(all, bpf_loop(5, add, &seen, 1));
	NOTE(all, bpf_loop(12, again, &seen, 0));
	NOTE(all, seen.sum);
	return all;
}
