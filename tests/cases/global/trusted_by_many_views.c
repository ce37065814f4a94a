// Of several structures of the kernel with one name none is taken.
// verdict: reject
// kernel: arg#0 reference type('STRUCT console') is ambiguous
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define TRUSTED __attribute__((btf_decl_tag("arg:trusted")))

struct console {
	int index;
};

__attribute__((noinline)) int taken(struct console *console TRUSTED)
{
	return console == 0;
}

SEC("tp_btf/console")
int begins(unsigned long long *ctx)
{
	return taken((void *)ctx[0]) == 1;
}

char _license[] SEC("license") = "GPL";
