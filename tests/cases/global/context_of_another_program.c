// A parameter that is tagged as the context is of the type that the program's context has.
// verdict: reject
// kernel: arg#0 should be `struct bpf_raw_tracepoint_args *`
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define TAGGED __attribute__((btf_decl_tag("arg:ctx")))

__attribute__((noinline)) int halves(__u32 *ctx TAGGED)
{
	return ctx[0] != 0;
}

SEC("raw_tracepoint/sys_enter")
int enter(void *ctx)
{
	return halves(ctx);
}

char _license[] SEC("license") = "GPL";
