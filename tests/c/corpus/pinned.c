/* A map that loaders share by its name, next to one on a chosen memory node. */
#include "corpus.h"

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __uint(pinning, LIBBPF_PIN_BY_NAME);
    __type(key, __u32);
    __type(value, __u64);
} shared_total SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 4);
    __uint(map_flags, BPF_F_NUMA_NODE);
    __uint(numa_node, 0);
    __uint(pinning, LIBBPF_PIN_NONE);
    __type(key, __u32);
    __type(value, __u64);
} near SEC(".maps");

SEC("xdp")
int total(struct xdp_md *ctx)
{
    __u32 zero = 0;
    __u64 *sum = bpf_map_lookup_elem(&shared_total, &zero), one = 1;

    if (!sum)
        return XDP_ABORTED;
    *sum += ctx->data_end - ctx->data;
    return bpf_map_update_elem(&near, &zero, &one, 0) ? XDP_DROP : XDP_PASS;
}

LICENSE("GPL");
