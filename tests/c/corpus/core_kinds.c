/* CO-RE: all that can be asked of types, members and enumerators, in programs that run. */
#include "corpus.h"
#include "kernel_types.h"
#include <bpf/bpf_core_read.h>

struct own {
    __u64 first;
    char second[3];
};

SEC("tc")
int types(struct __sk_buff *skb)
{
    int result = 0;

    result += bpf_core_type_exists(struct task_struct);
    result += bpf_core_type_exists(struct no_such_type) ? 100 : 10;
    result += bpf_core_type_size(struct list_head) * 1000;
    result += bpf_core_type_size(struct no_such_type) ? 20 : 0;
    return result;
}

SEC("tc")
int identifiers(struct __sk_buff *skb)
{
    return (bpf_core_type_id_kernel(struct sk_buff) != 0) +
           (bpf_core_type_id_local(struct own) != 0) * 2 +
           (bpf_core_type_id_kernel(struct no_such_type) != 0) * 4;
}

SEC("tc")
int members(struct __sk_buff *skb)
{
    struct task_struct *task = NULL;
    struct sk_buff *buffer = NULL;

    return bpf_core_field_offset(buffer->len) + bpf_core_field_size(task->comm) * 4 +
           bpf_core_field_offset(struct list_head, prev) * 64 +
           bpf_core_field_exists(buffer->network_header) * 1024 +
           bpf_core_field_exists(task->no_such_member) * 2048 +
           __builtin_preserve_field_info(task->pid, BPF_FIELD_SIGNED) * 4096 +
           __builtin_preserve_field_info(task->flags, BPF_FIELD_SIGNED) * 8192;
}

SEC("tc")
int enumerators(struct __sk_buff *skb)
{
    int result = bpf_core_enum_value(enum pid_type, PIDTYPE_TGID);

    result += bpf_core_enum_value_exists(enum pid_type, PIDTYPE_PID) * 10;
    result += bpf_core_enum_value_exists(enum pid_type, PIDTYPE_NO_SUCH) * 100;
    return result;
}

/* Whether types match is asked since clang 15. */
#if __clang_major__ >= 15
SEC("tc")
int matches(struct __sk_buff *skb)
{
    struct list_head {
        struct list_head *next;
    };

    return bpf_core_type_matches(struct list_head) + bpf_core_type_matches(struct no_such_type) * 2;
}
#endif

LICENSE("GPL");
