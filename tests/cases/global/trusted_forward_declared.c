// A structure that is only declared is not the one that the kernel has.
// verdict: reject
// kernel: arg#0 reference type('FWD mmu_gather_batch') has no matches
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct mmu_gather_batch;

__attribute__((noinline))
int kept(struct mmu_gather_batch *of __attribute__((btf_decl_tag("arg:trusted"), btf_decl_tag("arg:nullable"))))
{
	return of ? 1 : 0;
}

SEC("tracepoint/sched/sched_switch") int program(void *ctx)
{
	return kept(0);
}

char _license[] SEC("license") = "GPL";
