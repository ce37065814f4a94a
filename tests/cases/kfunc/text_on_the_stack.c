// A text that is not constant.
// verdict: reject
// kernel: arg#1 doesn't point to a const string
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

int bpf_stream_vprintk_impl(int stream, const char *format, const void *numbers, __u32 size,
			    void *aux) __ksym;

SEC("xdp")
int counts(struct xdp_md *ctx)
{
	char format[8] = "hello";
	__u64 numbers[1] = {1};

	bpf_stream_vprintk_impl(1, format, numbers, sizeof(numbers), 0);
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
