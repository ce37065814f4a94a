/* Maps without keys: queue, stack and bloom filter (which has a `map_extra`). */
#include "corpus.h"

struct {
    __uint(type, BPF_MAP_TYPE_QUEUE);
    __uint(max_entries, 16);
    __type(value, __u32);
} first_in SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_STACK);
    __uint(max_entries, 16);
    __uint(value_size, sizeof(__u32));
} last_in SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_BLOOM_FILTER);
    __uint(max_entries, 1000);
    __uint(map_extra, 3);
    __type(value, __be32);
} perhaps SEC(".maps");

SEC("xdp")
int order(struct xdp_md *ctx)
{
    __u32 bytes = ctx->data_end - ctx->data, number = 0, result = 0;

#pragma unroll
    for (int i = 0; i < 3; i++) {
        number = bytes + i;
        if (bpf_map_push_elem(&first_in, &number, BPF_EXIST) ||
            bpf_map_push_elem(&last_in, &number, BPF_EXIST))
            return 1000;
    }
    if (bpf_map_pop_elem(&first_in, &number))
        return 1001;
    result = number - bytes;
    if (bpf_map_peek_elem(&last_in, &number))
        return 1002;
    return result * 10 + number - bytes;
}

SEC("xdp")
int bloom(struct xdp_md *ctx)
{
    struct iphdr *ip = ipv4(DATA(ctx), END(ctx));
    __be32 address;

    if (!ip)
        return XDP_DROP;
    address = ip->saddr;
    if (!bpf_map_peek_elem(&perhaps, &address))
        return XDP_TX;
    bpf_map_push_elem(&perhaps, &address, BPF_ANY);
    return XDP_PASS;
}

LICENSE("GPL");
