/* Addresses and variables of the kernel. */
#include "corpus.h"

extern const void schedule __ksym;
extern const void no_such_symbol __ksym __weak;
extern const struct rq {
} runqueues __ksym;
extern const int bpf_no_such_variable __ksym __weak;

__u64 address;

SEC("tc")
int addresses(struct __sk_buff *skb)
{
    address = (__u64)&schedule;
    return (address != 0) + (&no_such_symbol != 0) * 2;
}

SEC("tc")
int variables(struct __sk_buff *skb)
{
    return (bpf_this_cpu_ptr(&runqueues) != 0) + (bpf_per_cpu_ptr(&runqueues, 0) != 0) * 2 +
           (&bpf_no_such_variable ? 4 : 0);
}

LICENSE("GPL");
