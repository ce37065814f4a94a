// The program itself may not.
// verdict: reject
// kernel: helper call might sleep in a non-sleepable prog
#include "values.h"

SEC("tc")
int program(struct __sk_buff *skb)
{
	char text[8];

	bpf_copy_from_user(text, sizeof(text), 0);
	return 0;
}
