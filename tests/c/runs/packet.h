// What a dynptr to a packet gives. Who includes this says where the program is (SECTION), what its
// context is (CONTEXT), what makes the dynptr of it (FROM), and, if the program may write packets,
// WRITES.
#include "runs.h"

extern int FROM(CONTEXT *, __u64, struct bpf_dynptr *) __ksym;
extern void *bpf_dynptr_slice(const struct bpf_dynptr *, __u32, void *, __u32) __ksym;
extern void *bpf_dynptr_slice_rdwr(const struct bpf_dynptr *, __u32, void *, __u32) __ksym;
extern __u32 bpf_dynptr_size(const struct bpf_dynptr *) __ksym;
// Only the lowest byte says it: the kernel leaves anything in the others.
extern __u64 bpf_dynptr_is_null(const struct bpf_dynptr *) __ksym;
extern __u64 bpf_dynptr_is_rdonly(const struct bpf_dynptr *) __ksym;

SEC(SECTION)
int program(CONTEXT *ctx)
{
	__u64 buffer = 0;
	__u32 seen = 0;
	struct bpf_dynptr ptr;
	__u8 *part;

	NOTE(seen, FROM(ctx, 0, &ptr));
	NOTE(seen, bpf_dynptr_size(&ptr));
	NOTE(seen, bpf_dynptr_is_null(&ptr) & 1);
	NOTE(seen, bpf_dynptr_is_rdonly(&ptr) & 1);
	NOTE(seen, bpf_dynptr_read(&buffer, 8, &ptr, 20, 0));
	NOTE(seen, buffer);
	NOTE(seen, bpf_dynptr_read(&buffer, 8, &ptr, 1000, 0));
	part = bpf_dynptr_slice(&ptr, 22, &buffer, 8);
	NOTE(seen, part ? part[7] : 1000);
	NOTE(seen, bpf_dynptr_write(&ptr, 2, &buffer, 8, 0));
#ifdef WRITES
	part = bpf_dynptr_slice_rdwr(&ptr, 3, &buffer, 8);
	NOTE(seen, part ? part[1] : 1000);
#endif
	NOTE(seen, !bpf_dynptr_slice(&ptr, 1000, &buffer, 8));
	NOTE(seen, FROM(ctx, 1, &ptr));
	NOTE(seen, bpf_dynptr_is_null(&ptr) & 1);
	NOTE(seen, bpf_dynptr_size(&ptr));
	return seen;
}
