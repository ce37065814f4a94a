// A pointer has no name that the kernel could look for.
// verdict: reject
// kernel: arg#0 reference type('PTR (anon)') candidate matching error: -22
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

__attribute__((noinline))
int peek(void **at __attribute__((btf_decl_tag("arg:untrusted"))))
{
	return *at != 0;
}

SEC("tracepoint/sched/sched_switch") int program(void *ctx)
{
	return peek(0);
}

char _license[] SEC("license") = "GPL";
