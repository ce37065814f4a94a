/* Maps in maps: their inner definition in place and by name, and what is in them at first. */
#include "corpus.h"

struct inner {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 4);
    __type(key, __u32);
    __type(value, __u64);
};

struct inner even SEC(".maps"), odd SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
    __uint(max_entries, 8);
    __type(key, __u32);
    __array(values, struct inner);
} by_parity SEC(".maps") = {
    .values = {[0] = &even, [1] = &odd, [6] = &even},
};

struct {
    __uint(type, BPF_MAP_TYPE_HASH_OF_MAPS);
    __uint(max_entries, 16);
    __type(key, __u32);
    __array(values, struct {
        __uint(type, BPF_MAP_TYPE_HASH);
        __uint(max_entries, 32);
        __type(key, __be32);
        __type(value, __u32);
    });
} by_protocol SEC(".maps");

SEC("xdp")
int count_parity(struct xdp_md *ctx)
{
    __u32 bytes = ctx->data_end - ctx->data, parity = bytes & 7, slot = 2;
    void *map = bpf_map_lookup_elem(&by_parity, &parity);
    __u64 *times;

    if (!map)
        return XDP_DROP;
    times = bpf_map_lookup_elem(map, &slot);
    if (!times)
        return XDP_ABORTED;
    __sync_fetch_and_add(times, bytes);
    return XDP_PASS;
}

SEC("xdp")
int look_up_protocol(struct xdp_md *ctx)
{
    struct iphdr *ip = ipv4(DATA(ctx), END(ctx));
    __u32 protocol, *action;
    void *addresses;

    if (!ip)
        return XDP_PASS;
    protocol = ip->protocol;
    addresses = bpf_map_lookup_elem(&by_protocol, &protocol);
    if (!addresses)
        return XDP_TX;
    action = bpf_map_lookup_elem(addresses, &ip->saddr);
    return action ? *action : XDP_PASS;
}

LICENSE("GPL");
