/*
 * Maps and tail calls as iproute2 had them before libbpf: maps are tied by their ids, and
 * programs to maps by the names of their sections, ID/INDEX.
 */
#include "corpus.h"

struct bpf_elf_map {
    __u32 type;
    __u32 size_key;
    __u32 size_value;
    __u32 max_elem;
    __u32 flags;
    __u32 id;
    __u32 pinning;
    __u32 inner_id;
    __u32 inner_idx;
};

#define TAILS 7
#define INNER 9

struct bpf_elf_map tails SEC("maps") = {
    .type = BPF_MAP_TYPE_PROG_ARRAY,
    .size_key = 4,
    .size_value = 4,
    .max_elem = 3,
    .id = TAILS,
};

struct bpf_elf_map inner SEC("maps") = {
    .type = BPF_MAP_TYPE_ARRAY,
    .size_key = 4,
    .size_value = 4,
    .max_elem = 1,
    .id = INNER,
    .inner_idx = 1,
};

/* A map like the others, and in none. */
struct bpf_elf_map apart SEC("maps") = {
    .type = BPF_MAP_TYPE_ARRAY,
    .size_key = 4,
    .size_value = 4,
    .max_elem = 1,
    .id = INNER,
    .inner_idx = -1,
};

struct bpf_elf_map outer SEC("maps") = {
    .type = BPF_MAP_TYPE_ARRAY_OF_MAPS,
    .size_key = 4,
    .size_value = 4,
    .max_elem = 2,
    .inner_id = INNER,
};

struct bpf_elf_map counts SEC("maps") = {
    .type = BPF_MAP_TYPE_PERCPU_ARRAY,
    .size_key = 4,
    .size_value = 8,
    .max_elem = 1,
    .pinning = 2,
};

static __always_inline void count(void)
{
    __u32 key = 0;
    __u64 *count = bpf_map_lookup_elem(&counts, &key);

    if (count)
        *count += 1;
}

SEC("7/0") int first(struct __sk_buff *skb)
{
    count();
    skb->mark = 5;
    bpf_tail_call(skb, &tails, 2);
    return TC_ACT_PIPE;
}

SEC("7/2") int last(struct __sk_buff *skb)
{
    count();
    return skb->mark == 5 ? TC_ACT_STOLEN : TC_ACT_OK;
}

SEC("classifier") int enter(struct __sk_buff *skb)
{
    __u32 key = 1, zero = 0, *value;
    void *map = bpf_map_lookup_elem(&outer, &key);

    count();
    if (!map)
        return TC_ACT_RECLASSIFY;
    value = bpf_map_lookup_elem(map, &zero);
    if (value)
        *value += 1;
    bpf_tail_call(skb, &tails, 0);
    return TC_ACT_SHOT;
}

LICENSE("GPL");
