/* Events to user space: by a ring buffer, reserved or copied, and by perf events. */
#include "corpus.h"

struct event {
    __u64 time;
    __be32 saddr;
    __be32 daddr;
    __u16 bytes;
    __u8 protocol;
    char comment[5];
};

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 64 * 1024);
} events SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
    __uint(key_size, sizeof(__u32));
    __uint(value_size, sizeof(__u32));
} samples SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_USER_RINGBUF);
    /* Loaders make whole pages of it. */
    __uint(max_entries, 5000);
} orders SEC(".maps");

/* Only its type is wanted, in BTF. */
const struct event *unused __attribute__((unused));

static __always_inline void fill(struct event *event, struct iphdr *ip)
{
    event->saddr = ip->saddr;
    event->daddr = ip->daddr;
    event->protocol = ip->protocol;
    event->bytes = bpf_ntohs(ip->tot_len);
    __builtin_memcpy(event->comment, "seen", 5);
}

SEC("xdp")
int reserve(struct xdp_md *ctx)
{
    struct iphdr *ip = ipv4(DATA(ctx), END(ctx));
    struct event *event;

    if (!ip)
        return XDP_DROP;
    event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
    if (!event)
        return XDP_ABORTED;
    event->time = 0;
    fill(event, ip);
    if (event->protocol == IPPROTO_ICMP) {
        bpf_ringbuf_discard(event, 0);
        return XDP_TX;
    }
    bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP);
    return XDP_PASS;
}

SEC("tc")
int copy(struct __sk_buff *skb)
{
    struct iphdr *ip = ipv4(DATA(skb), END(skb));
    struct event event = {};

    if (!ip)
        return TC_ACT_OK;
    fill(&event, ip);
    bpf_perf_event_output(skb, &samples, BPF_F_CURRENT_CPU, &event, sizeof(event));
    return bpf_ringbuf_output(&events, &event, sizeof(event), 0) ? TC_ACT_SHOT : TC_ACT_PIPE;
}

static long on_order(struct bpf_dynptr *order, void *sum)
{
    __u32 *number = bpf_dynptr_data(order, 0, sizeof(*number));

    if (number)
        *(__u64 *)sum += *number;
    return 0;
}

SEC("tc")
int take_orders(struct __sk_buff *skb)
{
    __u64 sum = 7;

    bpf_user_ringbuf_drain(&orders, on_order, &sum, 0);
    return sum;
}

LICENSE("GPL");
