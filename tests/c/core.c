// Everything that CO-RE can ask of the kernel: what libbpf makes of it, and what we do, is the
// same (tests/tests/witness/core.rs).

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define FIELD(field, kind) __builtin_preserve_field_info(field, kind)

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct list_head {
	struct list_head *next;
};

struct mm_struct;

// The members in another order, some of other sizes, some in other places.
struct task_struct {
	int tgid;
	int pid;
	char comm[16];
	unsigned int utime;
	struct list_head tasks;
	struct task_struct *real_parent;
	struct mm_struct *mm;
	unsigned int in_execve : 1;
	unsigned int sched_reset_on_fork : 1;
	unsigned int flags;
};

struct task_struct___other {
	long no_such_member;
	short pid;
	long long tgid;
};

struct sk_buff {
	unsigned int len;
	unsigned char pkt_type : 3;
	unsigned char cloned : 1;
	unsigned short protocol;
};

struct no_such_struct {
	int a;
};

struct callback_head {
	struct callback_head *next;
	void (*func)(struct callback_head *);
};

struct callback_head___more {
	struct callback_head *next;
	int no_such_member;
};

#pragma clang attribute pop

enum pid_type {
	PIDTYPE_PID = 40,
	PIDTYPE_TGID = 41,
	PIDTYPE_NONE_SUCH = 42,
};

typedef unsigned int gfp_t;

static __attribute__((noinline)) unsigned long types(void)
{
	unsigned long sum = 0;

	sum += bpf_core_type_exists(struct task_struct);
	sum += bpf_core_type_exists(struct no_such_struct);
	sum += bpf_core_type_exists(gfp_t);
	sum += bpf_core_type_size(struct task_struct);
	sum += bpf_core_type_size(struct no_such_struct);
	sum += bpf_core_type_id_kernel(struct sk_buff);
	sum += bpf_core_type_id_kernel(struct no_such_struct);
	sum += bpf_core_type_id_local(struct sk_buff);
#ifdef MATCHES
	sum += bpf_core_type_matches(struct callback_head);
	sum += bpf_core_type_matches(struct callback_head___more);
	sum += bpf_core_type_matches(enum pid_type);
#endif
	return sum;
}

static __attribute__((noinline)) unsigned long values(void)
{
	unsigned long sum = 0;

	sum += bpf_core_enum_value_exists(enum pid_type, PIDTYPE_TGID);
	sum += bpf_core_enum_value_exists(enum pid_type, PIDTYPE_NONE_SUCH);
	sum += bpf_core_enum_value(enum pid_type, PIDTYPE_TGID);
	if (bpf_core_enum_value_exists(enum pid_type, PIDTYPE_NONE_SUCH))
		sum += bpf_core_enum_value(enum pid_type, PIDTYPE_NONE_SUCH);
	return sum;
}

static __attribute__((noinline)) unsigned long fields(void)
{
	struct task_struct *task = 0;
	struct task_struct___other *other = 0;
	struct sk_buff *skb = 0;
	unsigned long sum = 0;

	sum += FIELD(task->pid, BPF_FIELD_BYTE_OFFSET);
	sum += FIELD(task->comm[3], BPF_FIELD_BYTE_OFFSET);
	sum += FIELD(task[2].tgid, BPF_FIELD_BYTE_OFFSET);
	sum += FIELD(task->comm, BPF_FIELD_BYTE_SIZE);
	sum += FIELD(task->utime, BPF_FIELD_BYTE_SIZE);
	sum += FIELD(task->pid, BPF_FIELD_SIGNED);
	sum += FIELD(task->flags, BPF_FIELD_SIGNED);
	sum += FIELD(task->flags, BPF_FIELD_LSHIFT_U64);
	sum += FIELD(task->flags, BPF_FIELD_RSHIFT_U64);
	sum += FIELD(task->in_execve, BPF_FIELD_BYTE_OFFSET);
	sum += FIELD(task->in_execve, BPF_FIELD_BYTE_SIZE);
	sum += FIELD(task->in_execve, BPF_FIELD_LSHIFT_U64);
	sum += FIELD(task->in_execve, BPF_FIELD_RSHIFT_U64);
	sum += FIELD(skb->pkt_type, BPF_FIELD_BYTE_OFFSET);
	sum += FIELD(skb->pkt_type, BPF_FIELD_LSHIFT_U64);
	sum += FIELD(skb->cloned, BPF_FIELD_LSHIFT_U64);
	sum += FIELD(skb->cloned, BPF_FIELD_RSHIFT_U64);
	sum += FIELD(skb->protocol, BPF_FIELD_BYTE_OFFSET);
	sum += bpf_core_field_exists(task->pid);
	sum += bpf_core_field_exists(other->pid);
	sum += bpf_core_field_exists(other->no_such_member);
	if (bpf_core_field_exists(other->no_such_member))
		sum += FIELD(other->no_such_member, BPF_FIELD_BYTE_OFFSET);
	return sum;
}

// Loads whose offsets and sizes change, and one that may never be reached.
SEC("tp_btf/sched_switch") int core(unsigned long *args)
{
	struct task_struct *task = (void *)args[1];
	struct task_struct___other *other = (void *)task;
	unsigned long sum = types() + values() + fields();

	sum += task->pid + task->tgid;
	sum += task->utime;
	sum += task->flags;
	sum += task->tasks.next != 0;
	sum += task->comm[5];
	sum += task->real_parent->pid;
	sum += task->mm != 0;
	if (bpf_core_field_exists(other->no_such_member))
		sum += other->no_such_member + other->tgid;
	return sum & 1;
}

char _license[] SEC("license") = "GPL";
