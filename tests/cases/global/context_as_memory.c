// What a system call is given is memory: a function may have it as such.
// verdict: accept
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct request {
	int number;
	long size;
};

__attribute__((noinline)) int answer(struct request *request)
{
	return request ? request->number : 0;
}

SEC("syscall")
int call(struct request *ctx)
{
	return answer(ctx);
}

char _license[] SEC("license") = "GPL";
