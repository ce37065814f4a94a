/* Variables in an arena, which only clang 19 and later compile and libbpf 1.4 and later load:
 * beside others, static ones, and ones without a value. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define __arena __attribute__((address_space(1)))

#ifndef EXTRA
#define EXTRA (1ull << 44)
#endif

char _license[] SEC("license") = "GPL";

struct {
    /* BPF_MAP_TYPE_ARENA, which headers of older kernels lack. */
    int (*type)[33];
    int (*map_flags)[BPF_F_MMAPABLE];
    int (*max_entries)[2];
#if EXTRA
    enum { map_extra__of = EXTRA } map_extra;
#endif
} memory SEC(".maps");

int __arena seven = 7;
int __arena many[600] = { 1, 2 };
static int __arena hidden = 5;
int three = 3;

SEC("syscall") int sum(void *ctx)
{
    volatile int __arena *begins = &seven;

    hidden += 1;
    many[599] = *begins + three + many[1];
    return many[599] + hidden;
}
