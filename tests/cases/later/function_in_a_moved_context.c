// Where a pointer in the place of a function leads is asked before what it points to.
// verdict: reject
// kernel: dereference of modified ctx ptr R2 off=8 disallowed
#include "values.h"

SEC("tc")
int program(struct __sk_buff *skb)
{
	struct job *job = find(1);

	if (!job)
		return 0;
	bpf_wq_set_callback_impl(&job->work, (void *)skb + 8, 0, 0);
	return 0;
}
