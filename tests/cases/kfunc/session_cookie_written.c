// A program that runs at entry and return keeps a number from one to the other.
// verdict: accept
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern __u64 *bpf_session_cookie(void) __ksym;

SEC("kprobe.session/vfs_read")
int keeps(void *ctx)
{
	__u64 *cookie = bpf_session_cookie();

	*cookie = 7;
	return 0;
}

char _license[] SEC("license") = "GPL";
