// A work queue is made, told what to run, and started.
// verdict: accept
#include "values.h"

static int run(void *map, int *key, void *value)
{
	((struct job *)value)->runs += *key;
	return 0;
}

SEC("tc")
int program(struct __sk_buff *skb)
{
	struct job *job = find(1);

	if (!job)
		return 0;
	bpf_wq_init(&job->work, &jobs, 0);
	bpf_wq_set_callback_impl(&job->work, run, 0, 0);
	bpf_wq_start(&job->work, 0);
	return 0;
}
