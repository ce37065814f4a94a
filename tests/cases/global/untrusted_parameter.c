// Anything is passed as untrusted, and is only read.
// verdict: accept
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

__attribute__((noinline))
int peek(int *at __attribute__((btf_decl_tag("arg:untrusted"))))
{
	return at[100];
}

SEC("tracepoint/sched/sched_switch") int program(void *ctx)
{
	return peek((void *)5) + peek(ctx);
}

char _license[] SEC("license") = "GPL";
