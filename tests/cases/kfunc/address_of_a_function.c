// The address of any function of the kernel is taken by its name.
// verdict: accept
// refused by: 6.1
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern int bpf_fentry_test1(int a) __ksym;

SEC("tc")
int is_elsewhere(struct __sk_buff *ctx)
{
	return (long)&bpf_fentry_test1 == ctx->len;
}

char _license[] SEC("license") = "GPL";
