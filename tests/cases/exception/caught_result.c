// What an exception callback returns is the result of the program.
// verdict: reject
// kernel: At program exit the register R0 has smin=
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern void bpf_throw(__u64 cookie) __ksym;

__attribute__((noinline)) int caught(__u64 cookie)
{
	return 64;
}

SEC("cgroup_skb/ingress") __attribute__((btf_decl_tag("exception_callback:caught")))
int program(struct __sk_buff *skb)
{
	if (skb->len > 64)
		bpf_throw(0);
	return 1;
}

char _license[] SEC("license") = "GPL";
