// The registers that a kprobe gets are known by their name, without a tag.
// verdict: accept
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct pt_regs {
	unsigned long r15;
};
typedef struct pt_regs bpf_user_pt_regs_t;

__attribute__((noinline)) int by_struct(struct pt_regs *ctx)
{
	return ctx->r15 != 0;
}

__attribute__((noinline)) int by_typedef(bpf_user_pt_regs_t *ctx)
{
	return bpf_get_attach_cookie(ctx) != 0;
}

SEC("kprobe/do_exit")
int leave(struct pt_regs *ctx)
{
	return by_struct(ctx) + by_typedef(ctx);
}

char _license[] SEC("license") = "GPL";
