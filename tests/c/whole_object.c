/* Everything that an object can hold but instructions: variables, functions that programs
 * share, maps that hold maps and programs, options and functions of the kernel, CO-RE. */
#include <linux/bpf.h>
#include <linux/types.h>
#include <bpf/bpf_helpers.h>

int counter = 5;
static int calls;
const volatile int limit = 10;
static __u64 numbers[4] = {1, 2, 3, 4};

struct inner {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, __u64);
	__uint(max_entries, 4);
} first SEC(".maps"), second SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 4);
	__type(key, __u32);
	__array(values, struct inner);
} outer SEC(".maps") = { .values = { [0] = &first, [3] = &second } };

int tail(struct xdp_md *);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 3);
	__uint(key_size, 4);
	__array(values, int(void *));
} jumps SEC(".maps") = { .values = { [2] = (void *)&tail } };

struct {
	__uint(type, BPF_MAP_TYPE_BLOOM_FILTER);
	__uint(max_entries, 30);
	__uint(value_size, 8);
	__uint(map_extra, 3);
} bloom SEC(".maps");

struct task_struct {
	int tgid;
} __attribute__((preserve_access_index));

extern int LINUX_KERNEL_VERSION __kconfig;
extern int CONFIG_HZ __kconfig;
extern int CONFIG_NO_SUCH_OPTION __kconfig __weak;
extern const int no_such_variable __ksym __weak;
extern void bpf_rcu_read_lock(void) __ksym;
extern void bpf_rcu_read_unlock(void) __ksym;
extern int no_such_function(int) __ksym __weak;

static __noinline int add(int a)
{
	calls++;
	return a + counter + numbers[a & 3];
}

__noinline int shared(int a)
{
	return add(a) * 3 + limit;
}

static long count(__u32 index, void *ctx)
{
	*(int *)ctx += index;
	return 0;
}

/* The bits say what was found as it should be. */
SEC("xdp")
int tail(struct xdp_md *ctx)
{
	int found = 0;

	if (LINUX_KERNEL_VERSION >= 0x50a00)
		found |= 1;
	if (CONFIG_HZ >= 100)
		found |= 2;
	if (!CONFIG_NO_SUCH_OPTION)
		found |= 4;
	if (!&no_such_variable && !no_such_function)
		found |= 8;
	if (shared(0) == (0 + 5 + 1) * 3 + 10)
		found |= 16;
	return found;
}

SEC("xdp")
int entry(struct xdp_md *ctx)
{
	__u32 index = 3, zero = 0;
	__u64 key = 5, *value;
	int sum = 0;
	void *held = bpf_map_lookup_elem(&outer, &index);

	if (!held)
		return 64;
	value = bpf_map_lookup_elem(held, &zero);
	if (value)
		*value += add(1);
	bpf_map_peek_elem(&bloom, &key);
	bpf_loop(4, count, &sum, 0);
	if (sum != 6)
		return 65;
	bpf_rcu_read_lock();
	bpf_rcu_read_unlock();
	if (no_such_function)
		return no_such_function(3);
	bpf_tail_call(ctx, &jumps, 2);
	return 66;
}

SEC("tracepoint/sched/sched_switch")
int trace(void *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	int tgid = 0;

	bpf_probe_read_kernel(&tgid, sizeof(tgid), &task->tgid);
	return tgid == 1;
}

char _license[] SEC("license") = "GPL";
