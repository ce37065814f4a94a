// Programs on tracepoints with types call the helpers of those without.
// verdict: accept
// refused by: 6.1
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("tp_btf/sched_switch")
int switches(unsigned long long *ctx)
{
	char name[16];
	__u64 stack[4];

	bpf_probe_read(name, sizeof(name), (void *)ctx[1]);
	bpf_probe_read_str(name, sizeof(name), (void *)ctx[1]);
	return bpf_get_stack(ctx, stack, sizeof(stack), 0) < 0;
}

char _license[] SEC("license") = "GPL";
