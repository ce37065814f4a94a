/* Loops with bounds, unrolled and not. */
#include "corpus.h"

struct vlan {
    __be16 tci;
    __be16 proto;
};

SEC("xdp")
int vlans(struct xdp_md *ctx)
{
    struct ethhdr *eth = DATA(ctx);
    struct vlan *vlan = (void *)(eth + 1);
    __u32 depth = 0;
    __be16 proto;

    if ((void *)vlan > END(ctx))
        return XDP_DROP;
    proto = eth->h_proto;
#pragma unroll
    for (int i = 0; i < 6; i++) {
        if (proto != bpf_htons(ETH_P_8021Q) || (void *)(vlan + 1) > END(ctx))
            break;
        proto = vlan->proto;
        vlan++;
        depth++;
    }
    return depth * 256 + (proto >> 8);
}

SEC("xdp")
int checksum(struct xdp_md *ctx)
{
    __u8 *at = DATA(ctx), *end = END(ctx);
    __u32 sum = 0;

#pragma clang loop unroll(disable)
    for (int i = 0; i < 64; i++) {
        if (at + 2 > end)
            break;
        sum += at[0] << 8 | at[1];
        at += 2;
    }
    return (sum & 0xffff) + (sum >> 16);
}

SEC("tc")
int buffer(struct __sk_buff *skb)
{
    char bytes[32] = {};
    int sum = 0;

    if (bpf_skb_load_bytes(skb, 0, bytes, 14))
        return 1;
#pragma clang loop unroll(disable)
    for (int i = 0; i < 14; i++)
        sum += bytes[i] * (i + 1);
    return sum;
}

LICENSE("GPL");
