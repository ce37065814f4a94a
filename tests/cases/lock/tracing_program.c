// A tracing program may run where the lock is held already.
// verdict: reject
// kernel: tracing progs cannot use bpf_spin_lock yet
#include "values.h"

SEC("kprobe/do_nanosleep")
int program(void *ctx)
{
	return find(&counters, 1) != 0;
}
