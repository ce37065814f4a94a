/* Arrays and hash tables, for all CPUs and for each: packets counted in each of them. */
#include "corpus.h"

struct counter {
    __u64 packets;
    __u64 bytes;
};

struct flow {
    __be32 saddr;
    __be32 daddr;
};

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 256);
    __type(key, __u32);
    __type(value, struct counter);
} protocols SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 2);
    __type(key, __u32);
    __type(value, struct counter);
} totals SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 1024);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, struct flow);
    __type(value, struct counter);
} flows SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_HASH);
    __uint(max_entries, 64);
    __type(key, __u8);
    __type(value, __u64);
} lengths SEC(".maps");

/* Sizes alone, without types. */
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(key_size, 4);
    __uint(value_size, 12);
    __uint(max_entries, 8);
} plain SEC(".maps");

static __always_inline void count(struct counter *counter, __u64 bytes)
{
    if (!counter)
        return;
    counter->packets += 1;
    counter->bytes += bytes;
}

SEC("xdp")
int count_arrays(struct xdp_md *ctx)
{
    struct iphdr *ip = ipv4(DATA(ctx), END(ctx));
    __u64 bytes = ctx->data_end - ctx->data;
    __u32 protocol = 255, is_ip = ip != NULL;

    if (ip)
        protocol = ip->protocol;
    count(bpf_map_lookup_elem(&protocols, &protocol), bytes);
    count(bpf_map_lookup_elem(&totals, &is_ip), bytes);
    return is_ip ? XDP_PASS : XDP_DROP;
}

SEC("xdp")
int count_hashes(struct xdp_md *ctx)
{
    struct iphdr *ip = ipv4(DATA(ctx), END(ctx));
    struct counter first = {.packets = 1}, *known;
    char bytes[12] = "eleven bytes";
    struct flow flow = {};
    __u64 once = 1, *times;
    __u32 zero = 0;
    __u8 size;

    if (!ip)
        return XDP_DROP;
    flow.saddr = ip->saddr;
    flow.daddr = ip->daddr;
    first.bytes = ctx->data_end - ctx->data;
    known = bpf_map_lookup_elem(&flows, &flow);
    if (known)
        count(known, first.bytes);
    else
        bpf_map_update_elem(&flows, &flow, &first, BPF_NOEXIST);
    size = first.bytes / 16;
    times = bpf_map_lookup_elem(&lengths, &size);
    if (times)
        *times += 1;
    else
        bpf_map_update_elem(&lengths, &size, &once, BPF_ANY);
    bpf_map_update_elem(&plain, &zero, bytes, BPF_ANY);
    if (bpf_map_delete_elem(&plain, &zero))
        return XDP_ABORTED;
    return known ? XDP_TX : XDP_PASS;
}

LICENSE("GPL");
