// A type without a name is no program's context.
// verdict: reject
// kernel: arg#0 type doesn't have a name
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define TAGGED __attribute__((btf_decl_tag("arg:ctx")))

typedef struct {
	long first;
} nameless;

__attribute__((noinline)) int looks(nameless *ctx TAGGED)
{
	return ctx->first != 0;
}

SEC("kprobe/do_exit")
int leave(void *ctx)
{
	return looks(ctx);
}

char _license[] SEC("license") = "GPL";
