// The program names a function that there is not. Without the types of its functions, of which the
// name is a part, the kernel would take it.
// verdict: reject
// kernel: exception callback 'missing' could not be found in BTF
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern void bpf_throw(__u64 cookie) __ksym;

SEC("tc") __attribute__((btf_decl_tag("exception_callback:missing")))
int program(struct __sk_buff *skb)
{
	if (skb->len > 64)
		bpf_throw(skb->len);
	return 0;
}

char _license[] SEC("license") = "GPL";
