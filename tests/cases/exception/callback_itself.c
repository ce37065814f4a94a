// The program names itself. Without the types of its functions, of which the name is a part, the
// kernel would take it.
// verdict: reject
// kernel: invalid exception callback insn_off in func_info: 0
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern void bpf_throw(__u64 cookie) __ksym;

SEC("tc") __attribute__((btf_decl_tag("exception_callback:program")))
int program(struct __sk_buff *skb)
{
	if (skb->len > 64)
		bpf_throw(skb->len);
	return 0;
}

char _license[] SEC("license") = "GPL";
