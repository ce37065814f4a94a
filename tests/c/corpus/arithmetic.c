/* Numbers of 8 to 64 bits, with and without sign: all operations that compilers choose from. */
#include "corpus.h"

static __always_inline __u64 word(struct xdp_md *ctx, int at)
{
    __u8 *data = DATA(ctx);
    __u64 value = 0;

    if (data + at + 8 > (__u8 *)END(ctx))
        return 0x8123456789abcdef + at;
    __builtin_memcpy(&value, data + at, 8);
    return value;
}

static __always_inline __u32 fold(__u64 value)
{
    return value ^ value >> 32;
}

SEC("xdp")
int unsigned_numbers(struct xdp_md *ctx)
{
    __u64 a = word(ctx, 0), b = word(ctx, 6);
    __u32 c = a, d = b >> 9;
    __u16 e = b;
    __u8 f = a >> 16;

    a = a * 3 + b / 7 + a % 1000;
    b = b / (a | 1) + a % (b | 1);
    c = c * d + c / (d | 1) + d % 10;
    d = d << (c & 31) | d >> (-c & 31);
    e = e * 257 + f;
    f -= e;
    a <<= f & 63;
    return fold(a ^ b) + c + d + e + f;
}

SEC("xdp")
int signed_numbers(struct xdp_md *ctx)
{
    __s64 a = word(ctx, 0), b = word(ctx, 6);
    __s32 c = a, d = b;
    __s16 e = a >> 5;
    __s8 f = b >> 3;

    a = (a >> 3) - b;
    b = -b + f * e;
    if (a < b && c > d)
        c = -c;
    if (e <= -100 || f >= 0)
        d += e;
    if (c < -1000 || d <= 77)
        a -= (__s64)c + d;
    return fold(a ^ b) + (c >> 2) + (d >> 1) + e - f;
}

SEC("xdp")
int byte_order(struct xdp_md *ctx)
{
    __u64 a = word(ctx, 3);

    return fold(bpf_cpu_to_be64(a)) + bpf_htonl(a) + bpf_htons(a) + (__u16)(a >> 7);
}

#if MCPU >= 4
/* Division of numbers with signs is an instruction since version 4. */
SEC("xdp")
int signed_division(struct xdp_md *ctx)
{
    __s64 a = word(ctx, 0), b = word(ctx, 6) | 1;
    __s32 c = a, d = (__s32)b | 1;

    if (d == -1 || b == -1)
        return 1;
    return fold(a / b + a % b) + c / d + c % d + a / -7;
}
#endif

LICENSE("GPL");
