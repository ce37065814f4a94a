/* Maps that forget (LRU) and maps of prefixes (LPM), from the two sides of tc. */
#include "corpus.h"

struct prefix {
    __u32 prefixlen;
    __be32 address;
};

struct {
    __uint(type, BPF_MAP_TYPE_LPM_TRIE);
    __uint(max_entries, 128);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, struct prefix);
    __type(value, __u32);
} routes SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 512);
    __type(key, __be32);
    __type(value, __u64);
} seen SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_LRU_PERCPU_HASH);
    __uint(max_entries, 512);
    __type(key, __be32);
    __type(value, __u64);
} seen_here SEC(".maps");

static __always_inline __u64 again(void *map, __be32 address)
{
    __u64 *times = bpf_map_lookup_elem(map, &address), first = 1;

    if (times)
        return *times += 1;
    bpf_map_update_elem(map, &address, &first, BPF_ANY);
    return first;
}

SEC("tc")
int incoming(struct __sk_buff *skb)
{
    struct iphdr *ip = ipv4(DATA(skb), END(skb));
    struct prefix prefix = {.prefixlen = 32};
    __u32 *action;

    if (!ip)
        return TC_ACT_OK;
    prefix.address = ip->saddr;
    action = bpf_map_lookup_elem(&routes, &prefix);
    if (action)
        return *action & 3;
    return again(&seen, ip->saddr) > 2 ? TC_ACT_SHOT : TC_ACT_OK;
}

SEC("tc")
int outgoing(struct __sk_buff *skb)
{
    struct iphdr *ip = ipv4(DATA(skb), END(skb));
    struct prefix learned = {.prefixlen = 24};
    __u32 shot = TC_ACT_SHOT;

    if (!ip)
        return TC_ACT_UNSPEC;
    learned.address = ip->daddr;
    bpf_map_update_elem(&routes, &learned, &shot, BPF_ANY);
    return again(&seen_here, ip->daddr) & 1 ? TC_ACT_OK : TC_ACT_PIPE;
}

LICENSE("Dual MIT/GPL");
