/* A long program without loops: options of TCP and extensions of IPv6, step by step. */
#include "corpus.h"

struct parsed {
    __u16 mss;
    __u8 scale;
    __u8 sack;
    __u32 stamp;
    __u32 others;
};

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct parsed);
} results SEC(".maps");

#define STEP                                                                                      \
    do {                                                                                          \
        if (at + 2 > end)                                                                         \
            goto done;                                                                            \
        kind = at[0];                                                                             \
        if (kind == 0)                                                                            \
            goto done;                                                                            \
        if (kind == 1) {                                                                          \
            at += 1;                                                                              \
            break;                                                                                \
        }                                                                                         \
        size = at[1];                                                                             \
        if (size < 2 || size > 40)                                                                \
            goto done;                                                                            \
        if (kind == 2 && at + 4 <= end)                                                           \
            parsed->mss = at[2] << 8 | at[3];                                                     \
        else if (kind == 3 && at + 3 <= end)                                                      \
            parsed->scale = at[2];                                                                \
        else if (kind == 4)                                                                       \
            parsed->sack = 1;                                                                     \
        else                                                                                      \
            parsed->others += kind;                                                               \
        at += size;                                                                               \
    } while (0)
#define STEPS8 STEP; STEP; STEP; STEP; STEP; STEP; STEP; STEP

/* Mixes bytes that the compiler cannot take together. */
#define MIX(i) hash = (hash ^ data[14 + (i)]) * 16777619u + (hash >> ((i) % 13 + 3));
#define MIX8(i)                                                                                   \
    MIX(i) MIX(i + 1) MIX(i + 2) MIX(i + 3) MIX(i + 4) MIX(i + 5) MIX(i + 6) MIX(i + 7)
#define MIX64(i)                                                                                  \
    MIX8(i) MIX8(i + 8) MIX8(i + 16) MIX8(i + 24) MIX8(i + 32) MIX8(i + 40) MIX8(i + 48)          \
    MIX8(i + 56)

SEC("xdp")
int options(struct xdp_md *ctx)
{
    __u8 *at = DATA(ctx), *end = END(ctx), kind, size;
    __u32 zero = 0;
    struct parsed *parsed = bpf_map_lookup_elem(&results, &zero);

    if (!parsed)
        return XDP_ABORTED;
    __builtin_memset(parsed, 0, sizeof(*parsed));
    at += sizeof(struct ethhdr);
    STEPS8;
done:
    return parsed->mss + parsed->scale + parsed->sack + parsed->others;
}

SEC("xdp")
int hash(struct xdp_md *ctx)
{
    __u8 *data = DATA(ctx), *end = END(ctx);
    __u32 hash = 2166136261u;

    if (data + 14 + 512 > end)
        return 0;
    MIX64(0) MIX64(64) MIX64(128) MIX64(192) MIX64(256) MIX64(320) MIX64(384) MIX64(448)
    return hash;
}

LICENSE("GPL");
