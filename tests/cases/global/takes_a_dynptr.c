// verdict: accept
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} ring SEC(".maps");

__attribute__((noinline)) int fill(struct bpf_dynptr *record)
{
	__u64 seven = 7;

	return bpf_dynptr_write(record, 0, &seven, sizeof(seven), 0);
}

SEC("xdp") int program(struct xdp_md *ctx)
{
	struct bpf_dynptr record;

	bpf_ringbuf_reserve_dynptr(&ring, 64, 0, &record);
	fill(&record);
	bpf_ringbuf_submit_dynptr(&record, 0);
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
