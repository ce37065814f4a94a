// A tag makes the context of a whole struct only.
// verdict: reject
// kernel: arg#0 should be `struct pt_regs *`
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define TAGGED __attribute__((btf_decl_tag("arg:ctx")))

struct pt_regs;

__attribute__((noinline)) int taken(struct pt_regs *ctx TAGGED)
{
	return ctx == 0;
}

SEC("kprobe/do_exit")
int program(void *ctx)
{
	return taken(ctx);
}

char _license[] SEC("license") = "GPL";
