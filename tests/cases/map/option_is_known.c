// What the kernel was configured with is known: a branch for another kernel is not followed.
// verdict: accept
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern unsigned int LINUX_KERNEL_VERSION __kconfig;
extern _Bool LINUX_HAS_BPF_COOKIE __kconfig;
extern _Bool CONFIG_BPF_SYSCALL __kconfig;
extern unsigned int CONFIG_HZ __kconfig;
extern _Bool CONFIG_NO_SUCH_OPTION __kconfig __weak;

/* No such helper. */
static long (*const missing)(void) = (void *)999;

SEC("socket")
int options(struct __sk_buff *skb)
{
	if (LINUX_KERNEL_VERSION < 0x50000 || CONFIG_NO_SUCH_OPTION)
		return missing();
	if (!CONFIG_BPF_SYSCALL || !LINUX_HAS_BPF_COOKIE || !CONFIG_HZ)
		return missing();
	return 0;
}
