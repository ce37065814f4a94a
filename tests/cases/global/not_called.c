// A global function that no path calls is not verified; older kernels verified it all the same.
// verdict: accept
// refused by: 6.1
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

const volatile int never = 0;

__attribute__((noinline)) int reads(int *number)
{
	return *number;
}

SEC("socket")
int program(struct __sk_buff *skb)
{
	int number = 1;

	if (never)
		return reads(&number);
	return 0;
}

char _license[] SEC("license") = "GPL";
