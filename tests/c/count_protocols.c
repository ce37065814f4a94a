/* The same counting as programs/count_protocols.rs, in C: a witness for the tests. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct counter {
    __u64 packets;
    __u64 bytes;
};

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 256);
    __type(key, __u32);
    __type(value, struct counter);
} protocols SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 5);
    __type(key, __u32);
    __type(value, struct counter);
} verdicts SEC(".maps");

static __always_inline void count(struct xdp_md *ctx, void *counters, __u32 key)
{
    struct counter *counter = bpf_map_lookup_elem(counters, &key);

    if (!counter)
        return;
    counter->packets += 1;
    counter->bytes += ctx->data_end - ctx->data;
}

static __always_inline int judge(struct xdp_md *ctx)
{
    void *data = (void *)(long)ctx->data;
    void *data_end = (void *)(long)ctx->data_end;
    struct ethhdr *eth = data;
    struct iphdr *ip = (void *)(eth + 1);
    __u32 protocol;

    if ((void *)(eth + 1) > data_end)
        return XDP_PASS;
    if (eth->h_proto != bpf_htons(ETH_P_IP))
        return XDP_PASS;
    if ((void *)(ip + 1) > data_end)
        return XDP_PASS;
    protocol = ip->protocol;
    count(ctx, &protocols, protocol);
    return protocol == IPPROTO_ICMP ? XDP_DROP : XDP_PASS;
}

SEC("xdp")
int xdp_count_protocols(struct xdp_md *ctx)
{
    int verdict = judge(ctx);

    count(ctx, &verdicts, verdict);
    return verdict;
}

char _license[] SEC("license") = "GPL";
