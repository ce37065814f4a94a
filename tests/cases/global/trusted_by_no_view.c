// Four underscores begin no view of a structure: the kernel has none of the whole name.
// verdict: reject
// kernel: arg#0 reference type('STRUCT task_struct____mine') has no matches
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define TRUSTED __attribute__((btf_decl_tag("arg:trusted")))

struct task_struct____mine {
	int pid;
};

__attribute__((noinline)) int taken(struct task_struct____mine *task TRUSTED)
{
	return task == 0;
}

SEC("tp_btf/task_newtask")
int begins(unsigned long long *ctx)
{
	return taken((void *)ctx[0]) == 1;
}

char _license[] SEC("license") = "GPL";
