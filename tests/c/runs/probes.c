// Reads of what is there, and of what is not.
#include "runs.h"

__u64 there = 0x1122334455667788;

SEC("raw_tp/sys_enter")
int program(struct bpf_raw_tracepoint_args *ctx)
{
	__u64 read = 1;
	__u32 seen = 0;

	NOTE(seen, bpf_probe_read_kernel(&read, 6, &there));
	NOTE(seen, read);
	NOTE(seen, read >> 32);
	NOTE(seen, bpf_probe_read_kernel(&read, 8, (void *)8));
	NOTE(seen, read);
	NOTE(seen, ctx->args[0]);
	NOTE(seen, ctx->args[3] >> 32);
	NOTE(seen, ((__u8 *)ctx)[9]);
	return seen;
}
