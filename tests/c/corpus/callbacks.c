/* Functions whose address is taken: for the kernel to call them. */
#include "corpus.h"

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 16);
    __type(key, __u32);
    __type(value, __u64);
} numbers SEC(".maps");

struct alarm {
    struct bpf_timer timer;
    __u64 rings;
};

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct alarm);
} alarms SEC(".maps");

struct guarded {
    struct bpf_spin_lock lock;
    __u32 number;
};

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct guarded);
} locked SEC(".maps");

static int add(__u32 index, void *sum)
{
    *(__u64 *)sum += index;
    return index == 20;
}

static long insert(__u32 index, void *unused)
{
    __u64 square = (__u64)index * index;

    bpf_map_update_elem(&numbers, &index, &square, BPF_ANY);
    return 0;
}

static long sum_up(void *map, __u32 *key, __u64 *value, __u64 *sum)
{
    *sum += *value + *key;
    return 0;
}

static int ring(void *map, __u32 *key, struct alarm *alarm)
{
    alarm->rings += 1;
    return 0;
}

SEC("xdp")
int loop(struct xdp_md *ctx)
{
    __u64 sum = 0;

    bpf_loop(ctx->data_end - ctx->data, add, &sum, 0);
    return sum;
}

SEC("xdp")
int for_each(struct xdp_md *ctx)
{
    __u64 sum = 0;

    bpf_loop(10, insert, NULL, 0);
    if (bpf_for_each_map_elem(&numbers, sum_up, &sum, 0) != 10)
        return XDP_ABORTED;
    return sum;
}

SEC("tc")
int timer(struct __sk_buff *skb)
{
    __u32 zero = 0;
    struct alarm *alarm = bpf_map_lookup_elem(&alarms, &zero);

    if (!alarm)
        return 1;
    bpf_timer_init(&alarm->timer, &alarms, 1);
    bpf_timer_set_callback(&alarm->timer, ring);
    return bpf_timer_start(&alarm->timer, 1000000000, 0) ? 2 : 3;
}

SEC("tc")
int spin(struct __sk_buff *skb)
{
    __u32 zero = 0, number;
    struct guarded *guarded = bpf_map_lookup_elem(&locked, &zero);

    if (!guarded)
        return 0;
    bpf_spin_lock(&guarded->lock);
    number = ++guarded->number;
    bpf_spin_unlock(&guarded->lock);
    return number;
}

LICENSE("GPL");
