// No structure is a number.
// verdict: reject
// kernel: R1 is of type task_struct but int is expected
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

__attribute__((noinline))
int kept(int *at __attribute__((btf_decl_tag("arg:trusted"))))
{
	return at ? 1 : 0;
}

SEC("tracepoint/sched/sched_switch") int program(void *ctx)
{
	return kept((void *)bpf_get_current_task_btf());
}

char _license[] SEC("license") = "GPL";
