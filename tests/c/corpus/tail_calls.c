/* A program array filled from the start, and one that the loader fills. */
#include "corpus.h"

int pass(struct xdp_md *ctx);
int drop(struct xdp_md *ctx);
int bounce(struct xdp_md *ctx);

struct {
    __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
    __uint(max_entries, 4);
    __uint(key_size, sizeof(__u32));
    __array(values, int(void *));
} actions SEC(".maps") = {
    .values = {[0] = (void *)&pass, [1] = (void *)&drop, [3] = (void *)&bounce},
};

struct {
    __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
    __uint(max_entries, 2);
    __uint(key_size, sizeof(__u32));
    __uint(value_size, sizeof(__u32));
} later SEC(".maps");

SEC("xdp")
int pass(struct xdp_md *ctx)
{
    return XDP_PASS;
}

SEC("xdp")
int drop(struct xdp_md *ctx)
{
    return XDP_DROP;
}

SEC("xdp")
int bounce(struct xdp_md *ctx)
{
    bpf_tail_call(ctx, &later, 1);
    return XDP_TX;
}

SEC("xdp")
int dispatch(struct xdp_md *ctx)
{
    struct iphdr *ip = ipv4(DATA(ctx), END(ctx));

    if (!ip)
        bpf_tail_call(ctx, &actions, 1);
    else if (ip->protocol == IPPROTO_UDP)
        bpf_tail_call(ctx, &actions, 3);
    else if (ip->protocol == IPPROTO_TCP)
        bpf_tail_call(ctx, &actions, 2);
    else
        bpf_tail_call(ctx, &actions, 0);
    return XDP_ABORTED;
}

LICENSE("GPL");
