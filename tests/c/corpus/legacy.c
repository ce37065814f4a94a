/* Maps as they were defined before BTF: an array of numbers in a section `maps`. */
#include "corpus.h"

struct bpf_map_definition {
    unsigned int type;
    unsigned int key_size;
    unsigned int value_size;
    unsigned int max_entries;
    unsigned int map_flags;
};

struct bpf_map_definition counts SEC("maps") = {
    .type = BPF_MAP_TYPE_ARRAY,
    .key_size = 4,
    .value_size = 8,
    .max_entries = 2,
};

struct bpf_map_definition addresses SEC("maps") = {
    .type = BPF_MAP_TYPE_HASH,
    .key_size = 4,
    .value_size = 4,
    .max_entries = 100,
    .map_flags = BPF_F_NO_PREALLOC,
};

SEC("xdp")
int count(struct xdp_md *ctx)
{
    struct iphdr *ip = ipv4(DATA(ctx), END(ctx));
    __u32 is_ip = ip != NULL;
    __u64 *times = bpf_map_lookup_elem(&counts, &is_ip);

    if (!times)
        return XDP_ABORTED;
    __sync_fetch_and_add(times, 1);
    if (ip) {
        __be32 address = ip->saddr;

        bpf_map_update_elem(&addresses, &address, &is_ip, BPF_ANY);
    }
    return is_ip ? XDP_PASS : XDP_DROP;
}

char _license[] SEC("license") = "GPL";
__u32 _version SEC("version") = 0x040f00;
