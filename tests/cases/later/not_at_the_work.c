// A queue is where it is.
// verdict: reject
// kernel: off 0 doesn't point to 'struct bpf_wq' that is at 8
#include "values.h"

SEC("tc")
int program(struct __sk_buff *skb)
{
	struct job *job = find(1);

	if (!job)
		return 0;
	bpf_wq_start((void *)job, 0);
	return 0;
}
