// That a lock is held is said first, also of a helper that such programs may not call at all.
// verdict: reject
// kernel: function calls are not allowed while holding a lock
#include "values.h"

SEC("xdp")
int program(struct xdp_md *ctx)
{
	struct counter *value = find(&counters, 1);

	if (!value)
		return 0;
	bpf_spin_lock(&value->lock);
	bpf_skb_pull_data((void *)ctx, 0);
	bpf_spin_unlock(&value->lock);
	return 0;
}
