// verdict: reject
// kernel: value -2147483648 makes fp pointer be out of bounds
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

__attribute__((noinline)) int three(int x)
{
	int result = 3;

	asm volatile("" : "+r"(result));
	return result;
}

SEC("xdp") int program(struct xdp_md *ctx)
{
	char bytes[16] = {};
	int at = three(ctx->ingress_ifindex);

	asm volatile("" : "+r"(at) : "r"(bytes) : "memory");
	return bytes[at];
}

char _license[] SEC("license") = "GPL";
