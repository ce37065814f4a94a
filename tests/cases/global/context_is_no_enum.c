// A number of the context's name is not the context.
// verdict: reject
// kernel: R1 type=ctx expected=fp
#define __sk_buff buffer
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#undef __sk_buff

enum __sk_buff { NONE, SOME };

__attribute__((noinline)) int taken(enum __sk_buff *skb)
{
	return skb == 0;
}

SEC("tc")
int program(void *ctx)
{
	return taken(ctx);
}

char _license[] SEC("license") = "GPL";
