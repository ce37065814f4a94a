/*
 * What the sources of this folder share.
 *
 * Each is a program of the size and in the manner of those that run in production: long
 * datapaths, buffers filled at computed places, loops of all kinds. Compiled with -DFAULT=N a
 * source has its N-th fault, deep inside; its head says which faults there are. MCPU is the
 * number of -mcpu=vN.
 */
#ifndef LARGE_H
#define LARGE_H

#include <linux/bpf.h>
#include <linux/icmpv6.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_vlan.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <stdbool.h>
#include <stddef.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

/* What other headers have only together with the C library. */
#define memcpy __builtin_memcpy
#define memset __builtin_memset

#define ICMP_ECHOREPLY 0
#define ICMP_DEST_UNREACH 3
#define ICMP_ECHO 8
#define ICMP_TIME_EXCEEDED 11

struct icmphdr {
    __u8 type;
    __u8 code;
    __sum16 checksum;
    union {
        struct {
            __be16 id;
            __be16 sequence;
        } echo;
        __be32 gateway;
    } un;
};

#ifndef FAULT
#define FAULT 0
#endif

/* `bad` in a build with this fault, else `good`. */
#define FAULTY(number, bad, good) (FAULT == (number) ? (bad) : (good))

#define inline_fn static __always_inline
#define noinline_fn static __attribute__((noinline))

#define LICENSE(text) char _license[] SEC("license") = text

#define DATA(ctx) ((void *)(long)(ctx)->data)
#define END(ctx) ((void *)(long)(ctx)->data_end)

/* A map, in one line. */
#define MAP(NAME, TYPE, KEY, VALUE, COUNT)                                                       \
    struct {                                                                                     \
        __uint(type, BPF_MAP_TYPE_##TYPE);                                                       \
        __type(key, KEY);                                                                        \
        __type(value, VALUE);                                                                    \
        __uint(max_entries, COUNT);                                                              \
    } NAME SEC(".maps")

#define TRIE(NAME, KEY, VALUE, COUNT)                                                            \
    struct {                                                                                     \
        __uint(type, BPF_MAP_TYPE_LPM_TRIE);                                                     \
        __type(key, KEY);                                                                        \
        __type(value, VALUE);                                                                    \
        __uint(max_entries, COUNT);                                                              \
        __uint(map_flags, BPF_F_NO_PREALLOC);                                                    \
    } NAME SEC(".maps")

#define PROGS(NAME, COUNT)                                                                       \
    struct {                                                                                     \
        __uint(type, BPF_MAP_TYPE_PROG_ARRAY);                                                   \
        __uint(key_size, 4);                                                                     \
        __uint(value_size, 4);                                                                   \
        __uint(max_entries, COUNT);                                                              \
    } NAME SEC(".maps")

#define RING(NAME, BYTES)                                                                        \
    struct {                                                                                     \
        __uint(type, BPF_MAP_TYPE_RINGBUF);                                                      \
        __uint(max_entries, BYTES);                                                              \
    } NAME SEC(".maps")

#define EVENTS(NAME)                                                                             \
    struct {                                                                                     \
        __uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);                                             \
        __uint(key_size, 4);                                                                     \
        __uint(value_size, 4);                                                                   \
    } NAME SEC(".maps")

/* What the compiler must not look into. */
#define hide(variable) asm volatile("" : "+r"(variable))

/* Bob Jenkins's hash, as kernels and datapaths have it. */
inline_fn __u32 rol32(__u32 word, __u32 by)
{
    return word << by | word >> (-by & 31);
}

#define JHASH_MIX(a, b, c)                                                                       \
    do {                                                                                         \
        a -= c; a ^= rol32(c, 4); c += b;                                                        \
        b -= a; b ^= rol32(a, 6); a += c;                                                        \
        c -= b; c ^= rol32(b, 8); b += a;                                                        \
        a -= c; a ^= rol32(c, 16); c += b;                                                       \
        b -= a; b ^= rol32(a, 19); a += c;                                                       \
        c -= b; c ^= rol32(b, 4); b += a;                                                        \
    } while (0)

#define JHASH_FINAL(a, b, c)                                                                     \
    do {                                                                                         \
        c ^= b; c -= rol32(b, 14);                                                               \
        a ^= c; a -= rol32(c, 11);                                                               \
        b ^= a; b -= rol32(a, 25);                                                               \
        c ^= b; c -= rol32(b, 16);                                                               \
        a ^= c; a -= rol32(c, 4);                                                                \
        b ^= a; b -= rol32(a, 14);                                                               \
        c ^= b; c -= rol32(b, 24);                                                               \
    } while (0)

inline_fn __u32 jhash_3words(__u32 a, __u32 b, __u32 c, __u32 seed)
{
    seed += 0xdeadbeef + 12;
    a += seed;
    b += seed;
    c += seed;
    JHASH_FINAL(a, b, c);
    return c;
}

inline_fn __u32 jhash_words(const __u32 *k, __u32 count, __u32 seed)
{
    __u32 a, b, c;

    a = b = c = 0xdeadbeef + (count << 2) + seed;
#pragma unroll
    while (count > 3) {
        a += k[0];
        b += k[1];
        c += k[2];
        JHASH_MIX(a, b, c);
        count -= 3;
        k += 3;
    }
    switch (count) {
    case 3: c += k[2]; /* fall through */
    case 2: b += k[1]; /* fall through */
    case 1: a += k[0]; JHASH_FINAL(a, b, c);
    }
    return c;
}

inline_fn __u16 csum_fold(__u32 sum)
{
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return ~sum;
}

inline_fn __u32 csum_add(__u32 sum, __u32 more)
{
    sum += more;
    return sum + (sum < more);
}

/* The checksum after a 16-bit word has changed. */
inline_fn __u16 csum_update(__u16 sum, __u16 before, __u16 after)
{
    __u32 new = (__u16)~sum + (__u32)(__u16)~before + after;

    return csum_fold(new);
}

inline_fn bool same_ip6(const __u32 *a, const __u32 *b)
{
    return a[0] == b[0] && a[1] == b[1] && a[2] == b[2] && a[3] == b[3];
}

#endif
