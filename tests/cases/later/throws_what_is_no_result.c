// What it throws, or what it calls, is one of its results, as what it returns is.
// verdict: reject
// kernel: At async callback return the register R1 has smin=2 smax=2 should have been in [0, 0]
#include "values.h"

extern void bpf_throw(__u64 cookie) __ksym;

static __attribute__((noinline)) int checked(int number)
{
	if (number > 64)
		bpf_throw(2);
	return number;
}

static int run(void *map, int *key, void *value)
{
	checked(*key);
	return 0;
}

SEC("tc")
int program(struct __sk_buff *skb)
{
	struct job *job = find(1);

	if (!job)
		return 0;
	bpf_wq_set_callback_impl(&job->work, run, 0, 0);
	return 0;
}
