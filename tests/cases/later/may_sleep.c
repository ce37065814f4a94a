// What it runs may sleep, even if the program may not.
// verdict: accept
#include "values.h"

static int run(void *map, int *key, void *value)
{
	char text[8];

	bpf_copy_from_user(text, sizeof(text), 0);
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
