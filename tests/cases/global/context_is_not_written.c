// Memory of a function may be written, and the context of a tracepoint not.
// verdict: reject
// kernel: invalid bpf_context access off=7 size=1
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

__attribute__((noinline)) int answer(long *memory)
{
	return memory ? *memory != 0 : 0;
}

SEC("tracepoint/sched/sched_switch")
int event(void *ctx)
{
	return answer(ctx);
}

char _license[] SEC("license") = "GPL";
