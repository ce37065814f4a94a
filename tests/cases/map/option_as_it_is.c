// The value of an option is the kernel's: its branch is followed.
// verdict: reject
// kernel: invalid func unknown#999
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern _Bool CONFIG_BPF_SYSCALL __kconfig;

/* No such helper. */
static long (*const missing)(void) = (void *)999;

SEC("socket")
int option(struct __sk_buff *skb)
{
	return CONFIG_BPF_SYSCALL ? missing() : 0;
}
