// What a global function returns is to be there, before it is to be a number.
// verdict: reject
// kernel: R0 !read_ok
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

__attribute__((noinline, naked)) int nothing(void)
{
	asm volatile("exit");
}

SEC("tc") int program(struct __sk_buff *skb)
{
	return nothing();
}

char _license[] SEC("license") = "GPL";
