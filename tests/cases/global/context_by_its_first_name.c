// The first name of a type says whether it is a kprobe's registers, not one behind it.
// verdict: reject
// kernel: arg#0 should be `struct pt_regs *`
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define TAGGED __attribute__((btf_decl_tag("arg:ctx")))

typedef int bpf_user_pt_regs_t;
typedef bpf_user_pt_regs_t registers;

__attribute__((noinline)) int taken(registers *ctx TAGGED)
{
	return ctx == 0;
}

SEC("kprobe/do_exit")
int program(void *ctx)
{
	return taken(ctx);
}

char _license[] SEC("license") = "GPL";
