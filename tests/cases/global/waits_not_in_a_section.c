// A global function that waits for nothing is called in a section.
// verdict: accept
// refused by: 6.12
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern void bpf_preempt_disable(void) __ksym;
extern void bpf_preempt_enable(void) __ksym;

__attribute__((noinline)) int moved(int value)
{
	return value + 2;
}

SEC("syscall") int program(void *ctx)
{
	int value;

	bpf_preempt_disable();
	value = moved(8);
	bpf_preempt_enable();
	return value;
}

char _license[] SEC("license") = "GPL";
