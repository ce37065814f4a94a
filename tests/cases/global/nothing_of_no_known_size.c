// Memory of no bytes is handed out to be written to, which an untrusted address never is.
// verdict: reject
// kernel: R1 cannot write into rdonly_untrusted_mem
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern void *bpf_rdonly_cast(const void *at, __u32 type) __ksym;

struct nothing {
};

__attribute__((noinline)) int read(const struct nothing *at)
{
	return at != 0;
}

SEC("tracepoint/sched/sched_switch") int program(void *ctx)
{
	return read(bpf_rdonly_cast(0, 0));
}

char _license[] SEC("license") = "GPL";
