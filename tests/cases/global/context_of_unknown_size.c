// What is only said to be a struct of the context's name is not the context.
// verdict: reject
// kernel: arg#0 reference type('FWD __sk_buff') size cannot be determined: -22
#define __sk_buff buffer
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#undef __sk_buff

struct __sk_buff;

__attribute__((noinline)) int taken(struct __sk_buff *skb)
{
	return skb == 0;
}

SEC("tc")
int program(void *ctx)
{
	return taken(ctx);
}

char _license[] SEC("license") = "GPL";
