// verdict: reject
// kernel: value -2147483648 makes fp pointer be out of bounds
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
	int result = 1;

	bpf_tail_call(ctx, &programs, 0);
	asm volatile("" : "+r"(result));
	return result;
}

SEC("xdp") int program(struct xdp_md *ctx)
{
	char bytes[16] = {};
	long at = next(ctx);

	asm volatile("" : "+r"(at) : "r"(bytes) : "memory");
	return bytes[at];
}

char _license[] SEC("license") = "GPL";
