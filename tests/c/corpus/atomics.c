/* Atomic operations; those that tell the former value are instructions since version 3. */
#include "corpus.h"

__u64 sum, mask = 0xff, turns, cell = 7;
__u32 small;

SEC("xdp")
int adds(struct xdp_md *ctx)
{
    __u64 bytes = ctx->data_end - ctx->data;

    __sync_fetch_and_add(&sum, bytes);
    __sync_fetch_and_add(&small, 1);
    return sum + small;
}

#if MCPU >= 3
SEC("xdp")
int fetches(struct xdp_md *ctx)
{
    __u64 bytes = ctx->data_end - ctx->data, result;

    result = __sync_fetch_and_add(&turns, 3);
    result += __sync_fetch_and_and(&mask, ~bytes);
    result += __sync_fetch_and_or(&mask, 64);
    result += __sync_fetch_and_xor(&mask, bytes << 3);
    result += __sync_lock_test_and_set(&cell, bytes);
    result += __sync_val_compare_and_swap(&cell, bytes, 9);
    result += __sync_val_compare_and_swap(&small, 12345, 9);
    result += __sync_fetch_and_sub(&small, 2);
    return result + cell + mask;
}
#endif

LICENSE("GPL");
