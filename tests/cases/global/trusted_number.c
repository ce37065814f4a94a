// A trusted parameter may be of any type that the kernel has, though only null is passed as a number.
// verdict: accept
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

__attribute__((noinline))
int kept(int *at __attribute__((btf_decl_tag("arg:trusted"), btf_decl_tag("arg:nullable"))))
{
	return at ? 1 : 0;
}

SEC("tracepoint/sched/sched_switch") int program(void *ctx)
{
	return kept(0);
}

char _license[] SEC("license") = "GPL";
