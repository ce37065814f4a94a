// What a function calls that catches exceptions has no stack of its own when the program calls it.
// verdict: reject
// kernel: combined stack size of 2 calls is 560. Too large
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern void bpf_throw(__u64 cookie) __ksym;

static __attribute__((noinline)) int deep(int number)
{
	asm volatile("r0 = 1; *(u8 *)(r10 - 504) = r0" ::: "r0");
	return number + 1;
}

__attribute__((noinline)) int caught(__u64 cookie)
{
	deep(cookie);
	return 0;
}

SEC("tp_btf/sys_enter") __attribute__((btf_decl_tag("exception_callback:caught")))
int program(void *ctx)
{
	asm volatile("r0 = 1; *(u8 *)(r10 - 40) = r0" ::: "r0");
	if (deep(1) > 2)
		bpf_throw(1);
	return 0;
}

char _license[] SEC("license") = "GPL";
