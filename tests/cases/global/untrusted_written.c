// What is passed as untrusted is not written.
// verdict: reject
// kernel: R1 cannot write into rdonly_untrusted_mem
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

__attribute__((noinline))
int poke(int *at __attribute__((btf_decl_tag("arg:untrusted"))))
{
	*at = 1;
	return 0;
}

SEC("tracepoint/sched/sched_switch") int program(void *ctx)
{
	return poke(ctx);
}

char _license[] SEC("license") = "GPL";
