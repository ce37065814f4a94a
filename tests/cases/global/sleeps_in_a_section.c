// A global function that may wait is not called in a section, whether or not it comes to that.
// verdict: reject
// kernel: global functions that may sleep are not allowed in non-sleepable context,
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern void bpf_rcu_read_lock(void) __ksym;
extern void bpf_rcu_read_unlock(void) __ksym;

__attribute__((noinline)) int copied(int which)
{
	int value = 0;

	if (which == 3)
		bpf_copy_from_user(&value, sizeof(value), (void *)8);
	return value;
}

SEC("syscall") int program(void *ctx)
{
	int value;

	bpf_rcu_read_lock();
	value = copied(1);
	bpf_rcu_read_unlock();
	return value;
}

char _license[] SEC("license") = "GPL";
