// The bytes of the queue are the kernel's.
// verdict: reject
// kernel: bpf_wq cannot be accessed directly by load/store
#include "values.h"

SEC("tc")
int program(struct __sk_buff *skb)
{
	struct job *job = find(1);

	if (!job)
		return 0;
	return *(volatile int *)&job->work;
}
