// The kernel goes back from a number to what it was compared with, and to the beginning of the
// function that the timer calls: there is a pointer that was handed to it, in R2.
// verdict: reject
// kernel: verifier bug: backtracking call unexpected regs 4
#include "values.h"

static int expired(void *map, __u32 *key, struct flow *flow)
{
	asm volatile("r0 = 0;"
		     "if r2 > r0 goto 1f;"
		     "1: if r0 <= 15 goto 2f;"
		     "2:"
		     ::: "r0", "r1", "r2", "r3");
	return 0;
}

SEC("tc")
int program(struct __sk_buff *skb)
{
	struct flow *flow = find(&flows, 1);

	if (!flow)
		return 0;
	bpf_timer_set_callback(&flow->timer, expired);
	return 0;
}
