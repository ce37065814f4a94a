// Locks, and sections that nothing interrupts.
#include "runs.h"

struct value {
	struct bpf_spin_lock lock;
	__u32 number;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct value);
} values SEC(".maps");

extern void bpf_rcu_read_lock(void) __ksym;
extern void bpf_rcu_read_unlock(void) __ksym;
extern void bpf_preempt_disable(void) __ksym;
extern void bpf_preempt_enable(void) __ksym;

SEC("tc")
int program(struct __sk_buff *skb)
{
	__u32 key = 0, seen = 0;
	struct value *value = bpf_map_lookup_elem(&values, &key);

	if (!value)
		return 0;
	for (int round = 0; round < 3; round++) {
		bpf_spin_lock(&value->lock);
		NOTE(value->number, round + 5);
		seen = value->number;
		bpf_spin_unlock(&value->lock);
	}
	bpf_rcu_read_lock();
	NOTE(seen, 3);
	bpf_rcu_read_unlock();
	bpf_preempt_disable();
	NOTE(seen, 4);
	bpf_preempt_enable();
	return seen;
}
