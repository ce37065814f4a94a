// Nobody knows how much memory there is at an untrusted address.
// verdict: reject
// kernel: invalid access to memory, mem_size=0 off=0 size=4
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern void *bpf_rdonly_cast(const void *at, __u32 type) __ksym;

__attribute__((noinline)) int read(const int *at)
{
	return at ? *at : 0;
}

SEC("tracepoint/sched/sched_switch") int program(void *ctx)
{
	return read(bpf_rdonly_cast(0, 0));
}

char _license[] SEC("license") = "GPL";
