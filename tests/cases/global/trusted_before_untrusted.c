// A parameter with both tags is trusted.
// verdict: reject
// kernel: R1 type=scalar expected=ptr_, trusted_ptr_, rcu_ptr_
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct task_struct {
	int pid;
} __attribute__((preserve_access_index));

__attribute__((noinline))
int kept(struct task_struct *task __attribute__((btf_decl_tag("arg:trusted"), btf_decl_tag("arg:untrusted"))))
{
	return task->pid;
}

SEC("tracepoint/sched/sched_switch") int program(void *ctx)
{
	return kept(0);
}

char _license[] SEC("license") = "GPL";
