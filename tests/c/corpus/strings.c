/* Constants that compilers put into sections of their own: string literals and tables. */
#include "corpus.h"

static const __u16 squares[] = {0, 1, 4, 9, 16, 25, 36, 49, 64, 81, 100, 121, 144, 169, 196, 225};
static const char names[4][8] = {"aborted", "drop", "pass", "tx"};

SEC("xdp")
int table(struct xdp_md *ctx)
{
    __u32 bytes = ctx->data_end - ctx->data;

    return squares[bytes & 15] + names[bytes & 3][bytes >> 4 & 7];
}

SEC("tc")
int print(struct __sk_buff *skb)
{
    __u32 length = skb->len;

    bpf_printk("a packet of %u bytes", length);
    bpf_printk("and again: %u %s", length, names[2]);
    return length & 7;
}

SEC("tc")
int switched(struct __sk_buff *skb)
{
    switch (skb->len & 15) {
    case 0:
        return 11;
    case 1:
        return 23;
    case 2:
        return 5;
    case 3:
        return 77;
    case 4:
        return 1;
    case 5:
        return 99;
    case 6:
        return 42;
    case 7:
        return 31;
    default:
        return 2;
    }
}

LICENSE("GPL");
