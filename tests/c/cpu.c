/* What each version of the instruction set (-mcpu) does in its own way. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("socket")
int compares(struct __sk_buff *skb)
{
	int sum = 0;

	if (skb->len < 60)
		sum += 1;
	if ((__s32)skb->mark < -5)
		sum += 2;
	if (skb->ifindex <= skb->mark)
		sum ^= skb->protocol;
	return sum;
}

SEC("socket")
long computes(struct __sk_buff *skb)
{
	__s32 number = skb->mark;
	__u32 shifted = skb->hash * 3 + (number >> 3);
	signed char narrow = skb->priority;
	__u64 wide = (__u64)skb->len << 32 | skb->hash;

	shifted /= skb->len | 1;
	wide = __builtin_bswap64(wide) + __builtin_bswap16(skb->protocol);
#if CPU >= 4
	number /= (__s32)skb->len | 1;
#endif
	return number + shifted + narrow + (long)wide;
}

SEC("socket")
long counts(struct __sk_buff *skb)
{
	__u64 wide = skb->len;
	__u32 small = skb->mark;
	signed short bytes[4] = { skb->mark, skb->hash, skb->len, skb->priority };

	__sync_fetch_and_add(&wide, 3);
#if CPU >= 3
	small = __sync_fetch_and_add(&small, 5) + __sync_val_compare_and_swap(&wide, 1, 2);
	small ^= __sync_lock_test_and_set(&wide, 9);
#endif
	return wide + small + ((volatile signed short *)bytes)[skb->len & 3];
}

char LICENSE[] SEC("license") = "GPL";
