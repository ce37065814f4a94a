// It is a number of 8 bytes.
// verdict: reject
// kernel: invalid access to memory, mem_size=8 off=8 size=8
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern __u64 *bpf_session_cookie(void) __ksym;

SEC("kprobe.session/vfs_read")
int keeps(void *ctx)
{
	__u64 *cookie = bpf_session_cookie();

	cookie[1] = 7;
	return 0;
}

char _license[] SEC("license") = "GPL";
