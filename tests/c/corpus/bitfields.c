/* Bit fields, unions and packed structs of the program's own, on the stack and in maps. */
#include "corpus.h"

struct flags {
    __u32 version : 4;
    __s32 delta : 11;
    __u32 last : 1;
    __u64 wide : 48;
    union {
        __u16 port;
        __u8 bytes[2];
    };
    enum { NONE, SOME, ALL } amount : 2;
};

struct packed {
    __u8 kind;
    __u32 number;
    __u16 tail[3];
} __attribute__((packed));

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 2);
    __type(key, __u32);
    __type(value, struct flags);
} states SEC(".maps");

struct packed last = {.kind = 1, .number = 0x01020304, .tail = {5, 6, 7}};

SEC("xdp")
int bits(struct xdp_md *ctx)
{
    __u32 bytes = ctx->data_end - ctx->data, key = bytes & 1;
    struct flags *flags = bpf_map_lookup_elem(&states, &key);

    if (!flags)
        return XDP_ABORTED;
    flags->version += 3;
    flags->delta -= bytes;
    flags->wide += (__u64)bytes << 33;
    flags->last ^= 1;
    flags->amount = bytes % 3;
    flags->bytes[1] = bytes;
    last.number += bytes;
    last.tail[bytes & 1] -= 1;
    return flags->version + flags->delta + (flags->wide >> 30) + flags->port + flags->amount +
           last.number + last.tail[0];
}

LICENSE("GPL");
