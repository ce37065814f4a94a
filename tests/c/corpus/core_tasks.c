/* CO-RE: members of the running task, through pointers, arrays and nested structs. */
#include "corpus.h"
#include "kernel_types.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

__u32 pid, parent, uid;
char comm[16];
__u64 started;

SEC("raw_tp/sched_switch")
int read_members(void *ctx)
{
    struct task_struct *task = (void *)bpf_get_current_task();

    pid = BPF_CORE_READ(task, pid);
    parent = BPF_CORE_READ(task, real_parent, group_leader, tgid);
    uid = BPF_CORE_READ(task, cred, uid.val);
    bpf_core_read_str(comm, sizeof(comm), &task->comm);
    return 0;
}

SEC("tp_btf/sched_switch")
int follow_pointers(__u64 *ctx)
{
    struct task_struct *previous = (void *)ctx[1], *next = (void *)ctx[2];
    struct task_struct___other *other = (void *)ctx[2];

    pid = next->pid;
    parent = previous->real_parent->tgid;
    started = other->start_time;
    comm[0] = next->comm[3];
    return 0;
}

SEC("raw_tp/sched_switch")
int ask_first(void *ctx)
{
    struct task_struct *task = (void *)bpf_get_current_task();
    struct task_struct___other *other = (void *)task;

    if (bpf_core_field_exists(task->no_such_member))
        pid = BPF_CORE_READ(task, no_such_member);
    else
        pid = bpf_core_field_exists(task->pid) ? 1 : 2;
    if (bpf_core_field_exists(other->no_such_member_either))
        parent = BPF_CORE_READ(other, no_such_member_either);
    return 0;
}

LICENSE("GPL");
