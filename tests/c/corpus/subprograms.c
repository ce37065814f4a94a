/* Functions: static ones and global ones, called from several programs, and from each other. */
#include "corpus.h"

__u32 calls;

static __noinline __u32 mix(__u32 a, __u32 b)
{
    calls += 1;
    return (a << 7 ^ b) * 2654435761u;
}

__attribute__((noinline)) int scaled(__u32 number, __u32 by)
{
    volatile __u32 result = number;

    if (by > 4)
        return -1;
    result = mix(result, by) >> 8;
    return result & 0xffff;
}

static __noinline __u32 of_packet(void *data, void *end)
{
    struct iphdr *ip = ipv4(data, end);

    if (!ip)
        return 1;
    return mix(ip->saddr, ip->daddr) & 0xff;
}

__attribute__((noinline)) int of_context(struct xdp_md *ctx)
{
    return of_packet(DATA(ctx), END(ctx)) + 1;
}

/* Nobody calls it. */
__attribute__((noinline)) int lonely(int a)
{
    return scaled(a, 2) + 5;
}

SEC("xdp")
int shallow(struct xdp_md *ctx)
{
    return mix(ctx->data_end - ctx->data, 3) & 3;
}

SEC("xdp")
int deep(struct xdp_md *ctx)
{
    return scaled(of_context(ctx), 2) + of_packet(DATA(ctx), END(ctx));
}

SEC("tc")
int other_section(struct __sk_buff *skb)
{
    return scaled(skb->len, 3) + mix(skb->len, 1) % 16;
}

LICENSE("GPL");
