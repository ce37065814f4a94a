// The program names the function that makes the result of what was thrown.
// verdict: accept
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern void bpf_throw(__u64 cookie) __ksym;

__attribute__((noinline)) int caught(__u64 cookie)
{
	return cookie > 1;
}

SEC("cgroup_skb/ingress") __attribute__((btf_decl_tag("exception_callback:caught")))
int program(struct __sk_buff *skb)
{
	if (skb->len > 64)
		bpf_throw(skb->len);
	return 1;
}

char _license[] SEC("license") = "GPL";
