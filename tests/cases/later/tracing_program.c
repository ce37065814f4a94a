// A tracing program may run where the queue does.
// verdict: reject
// kernel: tracing progs cannot use bpf_wq yet
#include "values.h"

SEC("kprobe/do_nanosleep")
int program(void *ctx)
{
	return find(1) != 0;
}
