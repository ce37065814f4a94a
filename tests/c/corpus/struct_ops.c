/* Structs of functions for the kernel: two of one kind, which share their functions. */
#include "corpus.h"
#include <bpf/bpf_tracing.h>

/* Whoever compiles may want them to come into force by a link. */
#ifndef STRUCTS
#define STRUCTS ".struct_ops"
#endif

struct sock;

struct tcp_congestion_ops {
    __u32 (*ssthresh)(struct sock *sk);
    void (*cong_avoid)(struct sock *sk, __u32 ack, __u32 acked);
    __u32 (*undo_cwnd)(struct sock *sk);
    __u32 flags;
    char name[16];
};

SEC("struct_ops/slow_ssthresh")
__u32 BPF_PROG(slow_ssthresh, struct sock *sk)
{
    return 2;
}

SEC("struct_ops/slow_cong_avoid")
void BPF_PROG(slow_cong_avoid, struct sock *sk, __u32 ack, __u32 acked)
{
}

SEC("struct_ops/slow_undo_cwnd")
__u32 BPF_PROG(slow_undo_cwnd, struct sock *sk)
{
    return 3;
}

SEC(STRUCTS)
struct tcp_congestion_ops slow = {
    .ssthresh = (void *)slow_ssthresh,
    .cong_avoid = (void *)slow_cong_avoid,
    .undo_cwnd = (void *)slow_undo_cwnd,
    .name = "corpus_slow",
};

SEC(STRUCTS)
struct tcp_congestion_ops slower = {
    .undo_cwnd = (void *)slow_undo_cwnd,
    .cong_avoid = (void *)slow_cong_avoid,
    .ssthresh = (void *)slow_ssthresh,
    .flags = 1,
    .name = "corpus_slower",
};

LICENSE("GPL");
