// Objects of the program's own, made and dropped.
#include "runs.h"

struct item {
	__u64 number;
	__u64 other;
};

extern void *bpf_obj_new_impl(__u64 local_type_id, void *meta) __ksym;
extern void bpf_obj_drop_impl(void *kptr, void *meta) __ksym;

#define new(type) ((type *)bpf_obj_new_impl(__builtin_btf_type_id(*(type *)0, 0), (void *)0))

SEC("tc")
int program(struct __sk_buff *skb)
{
	__u32 seen = 0;

	for (int round = 0; round < 3; round++) {
		struct item *item = new(struct item);

		if (!item)
			return 0;
		item->number = 10 + round;
		NOTE(seen, item->number);
		bpf_obj_drop_impl(item, (void *)0);
	}
	return seen;
}
