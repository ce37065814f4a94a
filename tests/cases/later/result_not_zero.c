// It returns 0.
// verdict: reject
// kernel: At async callback return the register R0 has smin=2 smax=2 should have been in [0, 0]
#include "values.h"

static int run(void *map, int *key, void *value)
{
	return 2;
}

SEC("tc")
int program(struct __sk_buff *skb)
{
	struct job *job = find(1);

	if (!job)
		return 0;
	bpf_wq_set_callback_impl(&job->work, run, 0, 0);
	return 0;
}
