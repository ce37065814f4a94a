/* What the kernel was configured with, as constants of the program. */
#include "corpus.h"

extern unsigned int LINUX_KERNEL_VERSION __kconfig;
extern unsigned int CONFIG_HZ __kconfig;
extern enum libbpf_tristate CONFIG_BPF_SYSCALL __kconfig;
extern bool CONFIG_BPF_JIT __kconfig;
extern char CONFIG_DEFAULT_HOSTNAME[16] __kconfig __weak;
extern char CONFIG_NET __kconfig;
extern int CONFIG_NO_SUCH_OPTION __kconfig __weak;
extern unsigned long long CONFIG_PHYSICAL_START __kconfig __weak;
extern unsigned short CONFIG_LOG_BUF_SHIFT __kconfig __weak;

SEC("tc")
int read_options(struct __sk_buff *skb)
{
    int result = CONFIG_HZ;

    if (LINUX_KERNEL_VERSION < 0x50000)
        return 1;
    if (CONFIG_BPF_SYSCALL == TRI_YES)
        result += 10000;
    if (CONFIG_BPF_JIT)
        result += 20000;
    if (CONFIG_NET == 'y')
        result += 40000;
    if (CONFIG_NO_SUCH_OPTION)
        result += 80000;
    if (CONFIG_PHYSICAL_START)
        result += CONFIG_LOG_BUF_SHIFT;
    return result + CONFIG_DEFAULT_HOSTNAME[0];
}

LICENSE("GPL");
