// A queue is made with the map that it is in.
// verdict: reject
// kernel: workqueue pointer in R1 map_uid=0 doesn't match map pointer in R2 map_uid=0
#include "values.h"

SEC("tc")
int program(struct __sk_buff *skb)
{
	struct job *job = find(1);

	if (!job)
		return 0;
	bpf_wq_init(&job->work, &others, 0);
	return 0;
}
