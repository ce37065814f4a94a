// A context of bytes that the program may write.
#include "runs.h"

struct arguments {
	__u64 first;
	__u32 second;
	__u16 third;
	__u8 rest[18];
};

SEC("syscall")
int program(struct arguments *ctx)
{
	__u64 read = 0;
	__u32 seen = 0;

	NOTE(seen, ctx->first);
	NOTE(seen, ctx->first >> 32);
	NOTE(seen, ctx->third);
	ctx->second = 0xffeeddcc;
	NOTE(seen, ((__u8 *)ctx)[9]);
	NOTE(seen, bpf_probe_read_kernel(&read, 8, &ctx->third));
	NOTE(seen, read);
	return seen;
}
