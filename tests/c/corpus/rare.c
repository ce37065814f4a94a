/* Instructions that compilers seldom choose, by inline assembly. */
#include "corpus.h"

unsigned long long load_byte(void *skb, unsigned long long at) asm("llvm.bpf.load.byte");
unsigned long long load_half(void *skb, unsigned long long at) asm("llvm.bpf.load.half");
unsigned long long load_word(void *skb, unsigned long long at) asm("llvm.bpf.load.word");

SEC("socket")
int legacy_loads(struct __sk_buff *skb)
{
    return load_half(skb, 12) + load_byte(skb, 14 + (skb->len & 3)) + load_word(skb, 2);
}

/* The assembler of clang 14 does not know JSET. */
#if __clang_major__ >= 18
SEC("xdp")
int jumps(struct xdp_md *ctx)
{
    int result;

    asm volatile("r1 = %1\n"
                 "r0 = 1\n"
                 "if r1 & 7 goto +1\n"
                 "r0 += 2\n"
                 "if r1 s> -5 goto +1\n"
                 "r0 += 4\n"
                 "if r1 s<= r0 goto +1\n"
                 "r0 += 8\n"
                 "r0 = -r0\n"
                 "%0 = r0\n"
                 : "=r"(result)
                 : "r"((long)(ctx->data_end - ctx->data))
                 : "r0", "r1");
    return result;
}
#endif

SEC("xdp")
int orders(struct xdp_md *ctx)
{
    unsigned long result;

    asm volatile("r0 = 0x1122334455667788 ll\n"
                 "r1 = r0\n"
                 "r0 = be64 r0\n"
                 "r1 = le32 r1\n"
                 "r1 = be16 r1\n"
                 "r0 ^= r1\n"
                 "%0 = r0\n"
                 : "=r"(result)
                 :
                 : "r0", "r1");
    return result;
}

#if MCPU >= 3
SEC("xdp")
int halves(struct xdp_md *ctx)
{
    int result;

    asm volatile("w0 = -3\n"
                 "w1 = 7\n"
                 "if w0 s> w1 goto +1\n"
                 "w0 *= w1\n"
                 "w0 s>>= 1\n"
                 "if w0 < 5 goto +1\n"
                 "w0 += 9\n"
                 "%0 = r0\n"
                 : "=r"(result)
                 :
                 : "r0", "r1");
    return result;
}
#endif

#if MCPU >= 4
SEC("xdp")
int version_four(struct xdp_md *ctx)
{
    int result;

    asm volatile("r0 = -77\n"
                 "*(u64 *)(r10 - 8) = r0\n"
                 "r1 = *(s8 *)(r10 - 8)\n"
                 "r2 = *(s16 *)(r10 - 8)\n"
                 "r3 = *(s32 *)(r10 - 8)\n"
                 "r0 = (s8)r0\n"
                 "w1 = (s16)w1\n"
                 "r2 = (s32)r2\n"
                 "r3 = bswap64 r3\n"
                 "r3 = bswap32 r3\n"
                 "r3 = bswap16 r3\n"
                 "r4 = 10\n"
                 "r0 s/= r4\n"
                 "w1 s%%= w4\n"
                 "if r0 s> 9 goto +1\n"
                 "gotol +1\n"
                 "r0 = 0\n"
                 "r0 += r1\n"
                 "r0 += r2\n"
                 "r0 += r3\n"
                 "%0 = r0\n"
                 : "=r"(result)
                 :
                 : "r0", "r1", "r2", "r3", "r4", "memory");
    return result;
}

SEC("xdp")
int may_goto(struct xdp_md *ctx)
{
    int result;

    asm volatile("r0 = 0\n"
                 "may_goto +2\n"
                 "r0 += 1\n"
                 "if r0 < 9 goto -3\n"
                 "%0 = r0\n"
                 : "=r"(result)
                 :
                 : "r0");
    return result;
}
#endif

LICENSE("GPL");
