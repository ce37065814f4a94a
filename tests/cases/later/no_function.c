// What is run is a function.
// verdict: reject
// kernel: arg1 expected pointer to func
#include "values.h"

SEC("tc")
int program(struct __sk_buff *skb)
{
	struct job *job = find(1);

	if (!job)
		return 0;
	bpf_wq_set_callback_impl(&job->work, 0, 0, 0);
	return 0;
}
