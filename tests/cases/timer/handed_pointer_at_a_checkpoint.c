// Where a state is kept between, nothing but numbers is needed before it.
// verdict: accept
#include "values.h"

static int expired(void *map, __u32 *key, struct flow *flow)
{
	asm volatile("r0 = 0;"
		     "if r2 != 0 goto 1f;"
		     "1: if r3 != 0 goto 2f;"
		     "2: r4 = 1; r4 = 2; r4 = 3; r4 = 4; r4 = 5; r4 = 6; r4 = 7;"
		     "r5 = r3;"
		     "if r4 != 7 goto 3f;"
		     "3: if r4 != 8 goto 4f;"
		     "4: if r0 <= 15 goto 5f;"
		     "5:"
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
