// A global function that throws is verified on its own: the caller may hold something.
// verdict: accept
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern void bpf_throw(__u64 cookie) __ksym;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} events SEC(".maps");

__attribute__((noinline)) int checked(int len)
{
	if (len > 64)
		bpf_throw(0);
	return len;
}

SEC("xdp") int program(struct xdp_md *ctx)
{
	long *event = bpf_ringbuf_reserve(&events, 8, 0);

	if (!event)
		return XDP_PASS;
	*event = checked(ctx->rx_queue_index);
	bpf_ringbuf_submit(event, 0);
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
