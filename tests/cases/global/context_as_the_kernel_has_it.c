// The kernel's own structure of a packet names the context too.
// verdict: accept
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct sk_buff {
	int unused;
};

__attribute__((noinline)) int hash(struct sk_buff *skb)
{
	return bpf_get_hash_recalc((void *)skb);
}

SEC("tc") int program(struct __sk_buff *ctx)
{
	return hash((void *)ctx) & 1;
}

char _license[] SEC("license") = "GPL";
