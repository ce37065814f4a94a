// A dynptr to the packet of a program that may only read it.
#include "runs.h"

extern int bpf_dynptr_from_skb(struct __sk_buff *, __u64, struct bpf_dynptr *) __ksym;
extern void *bpf_dynptr_slice(const struct bpf_dynptr *, __u32, void *, __u32) __ksym;
extern __u32 bpf_dynptr_size(const struct bpf_dynptr *) __ksym;
// Only the lowest byte says it: the kernel leaves anything in the others.
extern __u64 bpf_dynptr_is_null(const struct bpf_dynptr *) __ksym;
extern __u64 bpf_dynptr_is_rdonly(const struct bpf_dynptr *) __ksym;

SEC("lwt_in")
int program(struct __sk_buff *ctx)
{
	__u64 buffer = 0;
	__u32 seen = 0;
	struct bpf_dynptr ptr;
	__u8 *part;

	NOTE(seen, bpf_dynptr_from_skb(ctx, 0, &ptr));
	NOTE(seen, bpf_dynptr_size(&ptr));
	NOTE(seen, bpf_dynptr_is_null(&ptr) & 1);
	NOTE(seen, bpf_dynptr_is_rdonly(&ptr) & 1);
	NOTE(seen, bpf_dynptr_read(&buffer, 8, &ptr, 20, 0));
	NOTE(seen, buffer);
	NOTE(seen, bpf_dynptr_read(&buffer, 8, &ptr, 1000, 0));
	part = bpf_dynptr_slice(&ptr, 22, &buffer, 8);
	NOTE(seen, part ? part[7] : 1000);
	NOTE(seen, bpf_dynptr_write(&ptr, 2, &buffer, 8, 0));
	NOTE(seen, !bpf_dynptr_slice(&ptr, 1000, &buffer, 8));
	NOTE(seen, bpf_dynptr_from_skb(ctx, 1, &ptr));
	NOTE(seen, bpf_dynptr_is_null(&ptr) & 1);
	NOTE(seen, bpf_dynptr_size(&ptr));
	return seen;
}
