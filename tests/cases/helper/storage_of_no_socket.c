// Tracing programs may ask for the storage of a socket that is not there.
// verdict: accept
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct sock;
struct sk_buff {
	struct sock *sk;
} __attribute__((preserve_access_index));

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, int);
} values SEC(".maps");

SEC("tp_btf/kfree_skb")
int storage(__u64 *ctx)
{
	struct sk_buff *skb = (void *)ctx[0];

	bpf_sk_storage_get(&values, skb->sk, 0, 0);
	return 0;
}

char _license[] SEC("license") = "GPL";
