// verdict: accept
// refused by: 6.1
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__type(key, int);
	__type(value, int);
	__uint(max_entries, 4);
} programs SEC(".maps");

static __attribute__((noinline)) int next(struct xdp_md *ctx)
{
	bpf_tail_call(ctx, &programs, 0);
	return 1;
}

SEC("xdp") int program(struct xdp_md *ctx)
{
	char bytes[240];

	asm volatile("" : : "r"(bytes) : "memory");
	bytes[0] = 1;
	asm volatile("" : : "r"(bytes) : "memory");
	return next(ctx);
}

char _license[] SEC("license") = "GPL";
