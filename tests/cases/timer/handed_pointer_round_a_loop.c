// What is needed round a loop is known when all of the loop is followed: then the kernel goes back
// from the end of a round, to the beginning of the function that the timer calls.
// verdict: reject
// kernel: verifier bug: backtracking call unexpected regs c
#include "values.h"

static int expired(void *map, __u32 *key, struct flow *flow)
{
	asm volatile("r4 = r2;"
		     "r4 -= r3;"
		     "r5 = *(u32 *)(r2 + 0);"
		     "1: .8byte 0x500e5;" // may_goto 3f
		     "r0 = *(u32 *)(r2 + 0);"
		     "if r0 > 5 goto 2f;"
		     "w5 = w4;"
		     "goto 1b;"
		     "2: r5 &= 1;"
		     "if r5 <= 15 goto 3f;"
		     "3:"
		     ::: "r0", "r1", "r2", "r3", "r4", "r5");
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
