// A context that is an array of words may be passed as what it is, if the parameter is tagged.
// verdict: accept
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define TAGGED __attribute__((btf_decl_tag("arg:ctx")))

__attribute__((noinline)) int words(__u64 *ctx TAGGED)
{
	return ctx[0] != 0;
}

__attribute__((noinline)) int anything(void *ctx TAGGED)
{
	return bpf_get_attach_cookie(ctx) != 0;
}

SEC("raw_tracepoint/sys_enter")
int enter(struct bpf_raw_tracepoint_args *ctx)
{
	return words((__u64 *)ctx) + words(ctx->args);
}

SEC("kprobe/do_exit")
int leave(void *ctx)
{
	return anything(ctx);
}

char _license[] SEC("license") = "GPL";
