// What a stream is written with is a constant text, and numbers; the text is not looked into.
// verdict: accept
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

int bpf_stream_vprintk_impl(int stream, const char *format, const void *numbers, __u32 size,
			    void *aux) __ksym;

static const char format[] = "%d packets\n";

SEC("xdp")
int counts(struct xdp_md *ctx)
{
	__u64 numbers[1] = {1};

	bpf_stream_vprintk_impl(1, format, numbers, sizeof(numbers), 0);
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
