// Dynptrs to a value of a map and to a record: their bounds, flags, and what is null.
#include "runs.h"

extern void *bpf_dynptr_slice(const struct bpf_dynptr *, __u32, void *, __u32) __ksym;
extern void *bpf_dynptr_slice_rdwr(const struct bpf_dynptr *, __u32, void *, __u32) __ksym;
extern __u32 bpf_dynptr_size(const struct bpf_dynptr *) __ksym;
// Only the lowest byte says it: the kernel leaves anything in the others.
extern __u64 bpf_dynptr_is_null(const struct bpf_dynptr *) __ksym;
extern __u64 bpf_dynptr_is_rdonly(const struct bpf_dynptr *) __ksym;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} ring SEC(".maps");

char bytes[40];

static __always_inline __u32 look(struct bpf_dynptr *ptr)
{
	__u64 buffer = 0x1122334455667788;
	__u32 seen = 0;
	__u8 *part;

	NOTE(seen, bpf_dynptr_size(ptr));
	NOTE(seen, bpf_dynptr_is_null(ptr) & 1);
	NOTE(seen, bpf_dynptr_is_rdonly(ptr) & 1);
	NOTE(seen, bpf_dynptr_write(ptr, 4, &buffer, 8, 0));
	NOTE(seen, bpf_dynptr_write(ptr, 33, &buffer, 8, 0));
	NOTE(seen, bpf_dynptr_write(ptr, 4, &buffer, 8, 1));
	NOTE(seen, bpf_dynptr_read(&buffer, 8, ptr, 6, 0));
	NOTE(seen, buffer);
	NOTE(seen, bpf_dynptr_read(&buffer, 8, ptr, 33, 0));
	NOTE(seen, bpf_dynptr_read(&buffer, 8, ptr, 0, 2));
	NOTE(seen, buffer >> 32);
	part = bpf_dynptr_data(ptr, 5, 4);
	NOTE(seen, part ? part[3] : 1000);
	NOTE(seen, !bpf_dynptr_data(ptr, 37, 4));
	part = bpf_dynptr_slice(ptr, 6, &buffer, 8);
	NOTE(seen, part ? part[1] : 1000);
	part = bpf_dynptr_slice_rdwr(ptr, 7, &buffer, 8);
	if (part)
		part[0] = 77;
	part = bpf_dynptr_slice(ptr, 7, &buffer, 8);
	NOTE(seen, part ? part[0] : 1000);
	NOTE(seen, !bpf_dynptr_slice(ptr, 36, &buffer, 8));
	return seen;
}

SEC("tc")
int program(struct __sk_buff *skb)
{
	struct bpf_dynptr ptr;
	__u32 seen = 0;

	NOTE(seen, bpf_dynptr_from_mem(bytes, sizeof(bytes), 0, &ptr));
	NOTE(seen, look(&ptr));
	NOTE(seen, bpf_dynptr_from_mem(bytes, sizeof(bytes), 1, &ptr));
	NOTE(seen, look(&ptr));
	NOTE(seen, bpf_ringbuf_reserve_dynptr(&ring, 40, 0, &ptr));
	bpf_ringbuf_discard_dynptr(&ptr, 0);
	NOTE(seen, bpf_ringbuf_reserve_dynptr(&ring, 40, 1, &ptr));
	NOTE(seen, look(&ptr));
	bpf_ringbuf_submit_dynptr(&ptr, 0);
	NOTE(seen, bpf_ringbuf_reserve_dynptr(&ring, 5000, 0, &ptr));
	bpf_ringbuf_submit_dynptr(&ptr, 0);
	return seen;
}
