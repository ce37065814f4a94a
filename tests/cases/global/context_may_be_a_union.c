// A union of the context's name is the context.
// verdict: accept
#define __sk_buff buffer
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#undef __sk_buff

union __sk_buff {
	__u32 len;
};

__attribute__((noinline)) int taken(union __sk_buff *skb)
{
	return skb->len == 0;
}

SEC("tc")
int program(void *ctx)
{
	return taken(ctx);
}

char _license[] SEC("license") = "GPL";
