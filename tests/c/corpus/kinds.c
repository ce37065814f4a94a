/* Programs of the types that the network stack and control groups run. */
#include "corpus.h"

SEC("xdp")
int plain_xdp(struct xdp_md *ctx)
{
    return ctx->ingress_ifindex ? XDP_PASS : XDP_DROP;
}

SEC("xdp.frags")
int xdp_frags(struct xdp_md *ctx)
{
    return bpf_xdp_get_buff_len(ctx) & 1;
}

SEC("tc")
int plain_tc(struct __sk_buff *skb)
{
    skb->mark = 5;
    return skb->protocol == bpf_htons(ETH_P_IP) ? TC_ACT_OK : TC_ACT_SHOT;
}

SEC("classifier")
int old_classifier(struct __sk_buff *skb)
{
    return skb->len > 100;
}

SEC("action")
int old_action(struct __sk_buff *skb)
{
    return skb->priority ? TC_ACT_OK : TC_ACT_SHOT;
}

SEC("socket")
int whole_packet(struct __sk_buff *skb)
{
    return skb->len;
}

SEC("cgroup_skb/ingress")
int ingress(struct __sk_buff *skb)
{
    return skb->len < 2000;
}

SEC("cgroup_skb/egress")
int egress(struct __sk_buff *skb)
{
    return skb->len > 20;
}

SEC("cgroup/skb")
int either(struct __sk_buff *skb)
{
    return 1;
}

SEC("cgroup/connect4")
int connect4(struct bpf_sock_addr *ctx)
{
    if (ctx->user_port == bpf_htons(53))
        ctx->user_ip4 = bpf_htonl(0x7f000001);
    return 1;
}

SEC("cgroup/connect6")
int connect6(struct bpf_sock_addr *ctx)
{
    return ctx->user_ip6[3] != 0;
}

SEC("cgroup/sendmsg4")
int sendmsg4(struct bpf_sock_addr *ctx)
{
    return ctx->type != 0;
}

SEC("cgroup/bind4")
int bind4(struct bpf_sock_addr *ctx)
{
    return ctx->user_port != bpf_htons(22);
}

SEC("cgroup/sock_create")
int sock_create(struct bpf_sock *sk)
{
    return sk->family != 2 || sk->type != 3;
}

SEC("cgroup/post_bind4")
int post_bind4(struct bpf_sock *sk)
{
    return sk->src_port != 23;
}

SEC("cgroup/dev")
int dev(struct bpf_cgroup_dev_ctx *ctx)
{
    return ctx->major == 1;
}

SEC("cgroup/sysctl")
int sysctl(struct bpf_sysctl *ctx)
{
    return !ctx->write;
}

SEC("cgroup/getsockopt")
int getsockopt(struct bpf_sockopt *ctx)
{
    return ctx->level == 1;
}

SEC("cgroup/setsockopt")
int setsockopt(struct bpf_sockopt *ctx)
{
    return ctx->optname != 7;
}

SEC("sockops")
int timeout(struct bpf_sock_ops *ops)
{
    if (ops->op == BPF_SOCK_OPS_TIMEOUT_INIT)
        ops->reply = 10;
    return 1;
}

SEC("sk_lookup")
int look_up(struct bpf_sk_lookup *ctx)
{
    return ctx->local_port == 7 ? SK_DROP : SK_PASS;
}

SEC("sk_reuseport")
int reuse(struct sk_reuseport_md *ctx)
{
    return ctx->len > 10 ? SK_PASS : SK_DROP;
}

SEC("flow_dissector")
int dissect(struct __sk_buff *skb)
{
    skb->flow_keys->nhoff = 14;
    return skb->flow_keys->n_proto ? BPF_OK : BPF_DROP;
}

SEC("lwt_in")
int tunnel_in(struct __sk_buff *skb)
{
    return skb->len > 64 ? BPF_OK : BPF_DROP;
}

SEC("lwt_out")
int tunnel_out(struct __sk_buff *skb)
{
    return BPF_OK;
}

SEC("lwt_xmit")
int tunnel_xmit(struct __sk_buff *skb)
{
    skb->cb[0] = 3;
    return BPF_OK;
}

SEC("lwt_seg6local")
int seg6local(struct __sk_buff *skb)
{
    return skb->mark ? BPF_OK : BPF_DROP;
}

SEC("syscall")
int from_user(void *ctx)
{
    return 3;
}

LICENSE("GPL");
