// That a lock is held is said first, also of a function of the kernel that such programs may not
// call at all.
// verdict: reject
// kernel: function calls are not allowed while holding a lock
#include "values.h"

struct bpf_cpumask;

extern struct bpf_cpumask *bpf_cpumask_create(void) __ksym;

SEC("xdp")
int program(struct xdp_md *ctx)
{
	struct counter *value = find(&counters, 1);

	if (!value)
		return 0;
	bpf_spin_lock(&value->lock);
	value->bytes = bpf_cpumask_create() != 0;
	bpf_spin_unlock(&value->lock);
	return 0;
}
