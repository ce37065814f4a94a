// The kernel has this type, but it is neither a structure nor a number.
// verdict: reject
// kernel: arg#0 has type FLOAT '(anon)', but only struct or primitive types are allowed
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

__attribute__((noinline))
int peek(double *at __attribute__((btf_decl_tag("arg:untrusted"))))
{
	return at != 0;
}

SEC("tracepoint/sched/sched_switch") int program(void *ctx)
{
	return peek(0);
}

char _license[] SEC("license") = "GPL";
