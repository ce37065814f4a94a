// What is beside a lock is plain memory.
// verdict: accept
#include "values.h"

SEC("tc")
int program(struct __sk_buff *skb)
{
	struct counter *value = find(&counters, 1);

	if (!value)
		return 0;
	__sync_fetch_and_add(&value->bytes, 1);
	return 0;
}
