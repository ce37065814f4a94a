// A program's own view of a structure (___ and a name of one's choice) is that structure.
// verdict: accept
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define TRUSTED __attribute__((btf_decl_tag("arg:trusted")))

struct task_struct___mine {
	int pid;
} __attribute__((preserve_access_index));

__attribute__((noinline)) int number(struct task_struct___mine *task TRUSTED)
{
	return task->pid;
}

SEC("tp_btf/task_newtask")
int begins(unsigned long long *ctx)
{
	return number((void *)ctx[0]) == 1;
}

char _license[] SEC("license") = "GPL";
