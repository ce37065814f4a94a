// Maps whose values have work queues, and work for tasks.
#include <linux/bpf.h>
#include <linux/version.h>
#include <bpf/bpf_helpers.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 10, 0)
struct bpf_wq {
	__u64 opaque[2];
} __attribute__((aligned(8)));
#endif

struct job {
	__u64 runs;
	struct bpf_wq work;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, struct job);
} jobs SEC(".maps"), others SEC(".maps");

extern int bpf_wq_init(struct bpf_wq *wq, void *map, unsigned int flags) __ksym;
extern int bpf_wq_start(struct bpf_wq *wq, unsigned int flags) __ksym;
extern int bpf_wq_set_callback_impl(struct bpf_wq *wq, int (*callback)(void *, int *, void *),
				    unsigned int flags, void *aux) __ksym;

static struct job *find(__u32 key)
{
	return bpf_map_lookup_elem(&jobs, &key);
}

char _license[] SEC("license") = "GPL";
