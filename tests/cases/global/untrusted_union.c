// A parameter of which nothing is trusted may be a union of the kernel.
// verdict: accept
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define UNTRUSTED __attribute__((btf_decl_tag("arg:untrusted")))

__attribute__((noinline)) int taken(union bpf_attr *attr UNTRUSTED)
{
	return attr->map_type;
}

SEC("xdp") int program(void *ctx)
{
	return taken(0) ? 1 : 2;
}

char _license[] SEC("license") = "GPL";
