// A tracing program may run where the timer does.
// verdict: reject
// kernel: tracing progs cannot use bpf_timer yet
#include "values.h"

SEC("kprobe/do_nanosleep")
int program(void *ctx)
{
	return find(&flows, 1) != 0;
}
