/* Maps of things: interfaces, CPUs, sockets; and storage that sockets have. */
#include "corpus.h"

struct {
    __uint(type, BPF_MAP_TYPE_DEVMAP);
    __uint(max_entries, 4);
    __type(key, __u32);
    __type(value, struct bpf_devmap_val);
} ports SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_DEVMAP_HASH);
    __uint(max_entries, 4);
    __type(key, __u32);
    __type(value, __u32);
} far_ports SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_CPUMAP);
    __uint(max_entries, 2);
    __type(key, __u32);
    __type(value, struct bpf_cpumap_val);
} cpus SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_SOCKMAP);
    __uint(max_entries, 8);
    __type(key, __u32);
    __type(value, __u64);
} sockets SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_SOCKHASH);
    __uint(max_entries, 8);
    __type(key, __u64);
    __type(value, __u32);
} sockets_by_cookie SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_SK_STORAGE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, int);
    __type(value, __u64);
} of_socket SEC(".maps");

SEC("xdp")
int to_port(struct xdp_md *ctx)
{
    __u32 bytes = ctx->data_end - ctx->data;

    if (bytes & 1)
        return bpf_redirect_map(&ports, bytes & 3, XDP_TX);
    if (bytes & 2)
        return bpf_redirect_map(&far_ports, bytes, XDP_DROP);
    return bpf_redirect_map(&cpus, 5, XDP_PASS);
}

SEC("xdp/devmap")
int at_port(struct xdp_md *ctx)
{
    return ctx->egress_ifindex == 1 ? XDP_DROP : XDP_PASS;
}

SEC("xdp/cpumap")
int on_cpu(struct xdp_md *ctx)
{
    return ctx->rx_queue_index ? XDP_DROP : XDP_PASS;
}

SEC("sockops")
int established(struct bpf_sock_ops *ops)
{
    __u64 cookie = bpf_get_socket_cookie(ops);
    __u32 key = ops->local_port & 7;

    if (ops->op != BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB)
        return 0;
    bpf_sock_map_update(ops, &sockets, &key, BPF_ANY);
    bpf_sock_hash_update(ops, &sockets_by_cookie, &cookie, BPF_NOEXIST);
    return 1;
}

SEC("sk_msg")
int to_socket(struct sk_msg_md *msg)
{
    __u32 key = msg->remote_port & 7;

    return bpf_msg_redirect_map(msg, &sockets, key, BPF_F_INGRESS);
}

SEC("sk_skb/stream_parser")
int record_length(struct __sk_buff *skb)
{
    return skb->len;
}

SEC("sk_skb/stream_verdict")
int verdict(struct __sk_buff *skb)
{
    return bpf_sk_redirect_map(skb, &sockets, 0, 0);
}

SEC("cgroup_skb/egress")
int count_socket(struct __sk_buff *skb)
{
    struct bpf_sock *sk = skb->sk;
    __u64 *bytes;

    if (!sk)
        return 1;
    sk = bpf_sk_fullsock(sk);
    if (!sk)
        return 1;
    bytes = bpf_sk_storage_get(&of_socket, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
    if (bytes)
        __sync_fetch_and_add(bytes, skb->len);
    return 1;
}

LICENSE("GPL");
