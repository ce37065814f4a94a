/* CO-RE: bit fields of the kernel's types, by probing and by direct loads. */
#include "corpus.h"
#include "kernel_types.h"
#include <bpf/bpf_core_read.h>

__u64 seen;

SEC("raw_tp/netif_receive_skb")
int probe(struct bpf_raw_tracepoint_args *ctx)
{
    struct sk_buff *skb = (void *)ctx->args[0];
    struct task_struct *task = (void *)bpf_get_current_task();

    seen += BPF_CORE_READ_BITFIELD_PROBED(skb, pkt_type);
    seen += BPF_CORE_READ_BITFIELD_PROBED(skb, ip_summed) << 8;
    seen += BPF_CORE_READ_BITFIELD_PROBED(task, in_iowait) << 16;
    return 0;
}

SEC("tp_btf/netif_receive_skb")
int load(__u64 *ctx)
{
    struct sk_buff *skb = (void *)ctx[0];

    seen += BPF_CORE_READ_BITFIELD(skb, cloned);
    seen += skb->len;
    seen += skb->dev->ifindex;
    seen += skb->protocol;
    return 0;
}

LICENSE("GPL");
