// What is no structure is not passed as a trusted one.
// verdict: reject
// kernel: R1 type=ctx expected=ptr_, trusted_ptr_, rcu_ptr_
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct task_struct {
	int pid;
};

__attribute__((noinline))
int kept(struct task_struct *task __attribute__((btf_decl_tag("arg:trusted"))))
{
	return task ? 1 : 0;
}

SEC("tracepoint/sched/sched_switch") int program(void *ctx)
{
	return kept(ctx);
}

char _license[] SEC("license") = "GPL";
