/* Starts a timer for each frame: the kernel refuses that (EPERM) when nobody holds the map. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <bpf/bpf_helpers.h>

#define CLOCK_MONOTONIC 1
#define EBUSY 16

struct value {
    struct bpf_timer timer;
};

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct value);
} timers SEC(".maps");

SEC("xdp")
int xdp_timer(struct xdp_md *ctx)
{
    void *data = (void *)(long)ctx->data;
    void *data_end = (void *)(long)ctx->data_end;
    struct iphdr *ip = data + sizeof(struct ethhdr);
    struct value *value;
    __u32 key = 0;
    long error;

    if ((void *)(ip + 1) > data_end || ip->protocol != IPPROTO_ICMP)
        return XDP_PASS;
    value = bpf_map_lookup_elem(&timers, &key);
    if (!value)
        return XDP_PASS;
    error = bpf_timer_init(&value->timer, &timers, CLOCK_MONOTONIC);
    return error && error != -EBUSY ? XDP_DROP : XDP_PASS;
}

char _license[] SEC("license") = "GPL";
