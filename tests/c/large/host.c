/*
 * A host's datapath at tc: connection tracking, policies, network address translation with
 * checksums, services, both IP versions, and a chain of tail calls.
 *
 * FAULT 1: after the packet was written to, its pointers are used again.
 * FAULT 2: the metrics of a direction beyond the last are counted.
 * FAULT 3: the entry of a connection is used though there may be none.
 * FAULT 4: the length of the packet is taken for an address.
 */
#include "large.h"

enum { CALL_DROP = 1, CALL_IPV4, CALL_IPV6, CALL_NAT4, CALL_NAT6, CALL_CT, CALL_ARP, CALLS };
enum { CT_NEW, CT_ESTABLISHED, CT_REPLY, CT_RELATED };
enum { INGRESS, EGRESS, SERVICE, DIRECTIONS };

#define DROP_INVALID (-134)
#define DROP_POLICY (-133)
#define DROP_CT (-155)
#define DROP_WRITE (-141)
#define DROP_NO_SERVICE (-158)
#define DROP_NO_MAPPING (-161)
#define DROP_CSUM (-154)
#define DROP_MISSED_TAIL (-140)
#define DROP_FRAG (-157)
#define DROP_PROTO (-137)

struct key4 {
    __be32 daddr;
    __be32 saddr;
    __be16 dport;
    __be16 sport;
    __u8 proto;
    __u8 flags;
} __attribute__((packed));

struct key6 {
    __u32 daddr[4];
    __u32 saddr[4];
    __be16 dport;
    __be16 sport;
    __u8 proto;
    __u8 flags;
} __attribute__((packed));

struct ct_entry {
    __u64 rx_packets;
    __u64 rx_bytes;
    __u64 tx_packets;
    __u64 tx_bytes;
    __u32 lifetime;
    __u16 rx_closing : 1, tx_closing : 1, nat46 : 1, lb_loopback : 1, seen_non_syn : 1,
        node_port : 1, proxy : 1, dsr : 1, reserved : 8;
    __u16 rev_nat;
    __u16 ifindex;
    __u8 tx_flags;
    __u8 rx_flags;
    __u32 identity;
    __u32 last_tx;
    __u32 last_rx;
};

struct ct_state {
    __u16 rev_nat;
    __u16 loopback : 1, node_port : 1, proxy : 1, unused : 13;
    __be32 addr;
    __be32 backend;
    __u32 identity;
    __u32 closing;
};

struct policy_key {
    __u32 prefix;
    __u32 identity;
    __u8 egress : 1, pad : 7;
    __u8 proto;
    __be16 port;
};

struct policy {
    __be16 proxy_port;
    __u8 deny : 1, wildcard : 1, pad : 6;
    __u8 auth;
    __u64 packets;
    __u64 bytes;
};

struct endpoint {
    __u32 ifindex;
    __u16 unused;
    __u16 id;
    __u32 flags;
    __u64 mac;
    __u64 node_mac;
    __u32 sec_id;
};

struct remote {
    __u32 sec_label;
    __be32 tunnel;
    __u16 pad;
    __u8 key;
    __u8 flags;
};

struct cidr4 {
    __u32 prefix;
    __u8 pad[3];
    __u8 family;
    __be32 address;
};

struct cidr6 {
    __u32 prefix;
    __u8 pad[3];
    __u8 family;
    __u32 address[4];
};

struct snat4 {
    __be32 address;
    __be16 port;
    __u16 pad;
    __u64 created;
};

struct snat6 {
    __u32 address[4];
    __be16 port;
    __u16 pad;
    __u32 pad2;
    __u64 created;
};

struct metrics_key {
    __u8 reason;
    __u8 dir : 2, pad : 6;
    __u16 line;
    __u8 file;
    __u8 reserved[3];
};

struct metrics {
    __u64 count;
    __u64 bytes;
};

struct scratch {
    struct key4 tuple4;
    struct key6 tuple6;
    struct ct_state state;
    __u32 verdict;
    __u32 identity;
    __s32 result;
    __u32 l4_off;
    __u32 monitor;
    __u64 by_direction[DIRECTIONS];
};

PROGS(calls, CALLS);
MAP(ct4, LRU_HASH, struct key4, struct ct_entry, 65536);
MAP(ct_any4, LRU_HASH, struct key4, struct ct_entry, 65536);
MAP(ct6, LRU_HASH, struct key6, struct ct_entry, 65536);
MAP(nat4, LRU_HASH, struct key4, struct snat4, 65536);
MAP(nat6, LRU_HASH, struct key6, struct snat6, 65536);
TRIE(policies, struct policy_key, struct policy, 16384);
MAP(endpoints4, HASH, __be32, struct endpoint, 4096);
MAP(endpoints6, HASH, struct in6_addr, struct endpoint, 4096);
TRIE(ipcache4, struct cidr4, struct remote, 65536);
TRIE(ipcache6, struct cidr6, struct remote, 65536);
MAP(metrics, PERCPU_HASH, struct metrics_key, struct metrics, 1024);
MAP(scratches, PERCPU_ARRAY, __u32, struct scratch, 1);
EVENTS(events);

volatile const __be32 node_address = 0x0a000001;
volatile const __u32 node_address6[4] = {0xfd00, 0, 0, 1};
volatile const __u32 host_ifindex = 2;
volatile const __u16 nat_min = 32768, nat_max = 65535;
volatile const __u64 node_mac = 0x112233445566;

inline_fn void count(struct __sk_buff *skb, int reason, int dir)
{
    struct metrics_key key = {.reason = reason < 0 ? -reason : reason, .dir = dir, .line = 0};
    struct metrics *entry = bpf_map_lookup_elem(&metrics, &key), new = {1, skb->len};

    if (entry) {
        __sync_fetch_and_add(&entry->count, 1);
        __sync_fetch_and_add(&entry->bytes, skb->len);
    } else {
        bpf_map_update_elem(&metrics, &key, &new, 0);
    }
}

struct drop_note {
    __u8 type;
    __u8 subtype;
    __u16 source;
    __u32 hash;
    __u32 len;
    __u32 src, dst, id;
    __u32 ifindex;
    __u64 at;
};

inline_fn int send_drop(struct __sk_buff *skb, __u32 src, __u32 dst, int reason, int exitcode)
{
    struct drop_note note = {
        .type = 1,
        .subtype = -reason,
        .hash = bpf_get_hash_recalc(skb),
        .len = skb->len,
        .src = src,
        .dst = dst,
        .ifindex = skb->ifindex,
        .at = bpf_ktime_get_ns(),
    };
    __u64 captured = skb->len < 128 ? skb->len : 128;

    count(skb, reason, INGRESS);
    bpf_perf_event_output(skb, &events, captured << 32 | BPF_F_CURRENT_CPU, &note, sizeof(note));
    return exitcode;
}

inline_fn bool revalidate(struct __sk_buff *skb, void **data, void **end, __u32 more)
{
    __u32 wanted = ETH_HLEN + more;

    *data = DATA(skb);
    *end = END(skb);
    if (*data + wanted > *end) {
        if (bpf_skb_pull_data(skb, wanted))
            return false;
        *data = DATA(skb);
        *end = END(skb);
    }
    return *data + wanted <= *end;
}

inline_fn __u32 now(void)
{
    return bpf_ktime_get_boot_ns() / 1000000000ULL;
}

inline_fn void touch(struct ct_entry *entry, bool tcp, int dir, __u8 flags)
{
    __u32 at = now(), lifetime = tcp ? 21600 : 60;

    if (tcp) {
        entry->seen_non_syn |= !(flags & 2);
        if (!entry->seen_non_syn)
            lifetime = 60;
    }
    entry->lifetime = at + lifetime;
    if (dir == INGRESS) {
        entry->rx_flags |= flags;
        entry->last_rx = at;
    } else {
        entry->tx_flags |= flags;
        entry->last_tx = at;
    }
}

inline_fn int ct_hit(struct __sk_buff *skb, struct ct_entry *entry, struct ct_state *state, int dir,
                     bool tcp, __u8 flags)
{
    if (!entry->rx_closing || !entry->tx_closing)
        touch(entry, tcp, dir, flags);
    state->rev_nat = entry->rev_nat;
    state->loopback = entry->lb_loopback;
    state->node_port = entry->node_port;
    state->proxy = entry->proxy;
    state->identity = entry->identity;
    if (dir == INGRESS) {
        __sync_fetch_and_add(&entry->rx_packets, 1);
        __sync_fetch_and_add(&entry->rx_bytes, skb->len);
    } else {
        __sync_fetch_and_add(&entry->tx_packets, 1);
        __sync_fetch_and_add(&entry->tx_bytes, skb->len);
    }
    if (tcp && flags & 5) {
        if (dir == INGRESS)
            entry->rx_closing = 1;
        else
            entry->tx_closing = 1;
        if (flags & 4)
            entry->rx_closing = entry->tx_closing = 1;
        state->closing = 1;
        if (entry->rx_closing && entry->tx_closing)
            entry->lifetime = now() + 10;
    }
    return CT_ESTABLISHED;
}

inline_fn void flip4(struct key4 *tuple)
{
    __be32 address = tuple->saddr;
    __be16 port = tuple->sport;

    tuple->saddr = tuple->daddr;
    tuple->daddr = address;
    tuple->sport = tuple->dport;
    tuple->dport = port;
    tuple->flags ^= 1;
}

inline_fn void flip6(struct key6 *tuple)
{
    __u32 address[4];
    __be16 port = tuple->sport;

    memcpy(address, tuple->saddr, 16);
    memcpy(tuple->saddr, tuple->daddr, 16);
    memcpy(tuple->daddr, address, 16);
    tuple->sport = tuple->dport;
    tuple->dport = port;
    tuple->flags ^= 1;
}

/* Loads the ports, or what stands for them. */
inline_fn int ports(struct __sk_buff *skb, int off, __u8 proto, __be16 *sport, __be16 *dport,
                    __u8 *flags, bool *related)
{
    struct {
        __be16 source, dest;
    } pair;
    struct icmphdr icmp;
    __u8 bits[2];

    *related = false;
    *flags = 0;
    switch (proto) {
    case IPPROTO_TCP:
        if (bpf_skb_load_bytes(skb, off + 12, bits, 2))
            return DROP_CT;
        *flags = bits[1];
        /* fall through */
    case IPPROTO_UDP:
    case IPPROTO_SCTP:
        if (bpf_skb_load_bytes(skb, off, &pair, sizeof(pair)))
            return DROP_CT;
        *sport = pair.source;
        *dport = pair.dest;
        return 0;
    case IPPROTO_ICMP:
    case IPPROTO_ICMPV6:
        if (bpf_skb_load_bytes(skb, off, &icmp, sizeof(icmp)))
            return DROP_CT;
#if FAULT == 4
        if (*((__u8 *)(long)skb->len + 1))
            return 0;
#endif
        switch (icmp.type) {
        case ICMP_DEST_UNREACH:
        case ICMP_TIME_EXCEEDED:
            *related = true;
            *dport = *sport = 0;
            return 0;
        case ICMP_ECHO:
        case 128:
            *sport = 0;
            *dport = icmp.un.echo.id;
            return 0;
        case ICMP_ECHOREPLY:
        case 129:
            *sport = icmp.un.echo.id;
            *dport = 0;
            return 0;
        default:
            *sport = *dport = 0;
            return 0;
        }
    default:
        return DROP_PROTO;
    }
}

inline_fn int ct_lookup4(struct __sk_buff *skb, struct key4 *tuple, int off, int dir,
                         struct ct_state *state)
{
    bool tcp = tuple->proto == IPPROTO_TCP, related;
    struct ct_entry *entry;
    __u8 flags;
    int error;

    error = ports(skb, off, tuple->proto, &tuple->sport, &tuple->dport, &flags, &related);
    if (error)
        return error;
    tuple->flags = dir == INGRESS;
    flip4(tuple);
    entry = tcp ? bpf_map_lookup_elem(&ct4, tuple) : bpf_map_lookup_elem(&ct_any4, tuple);
    if (entry) {
        ct_hit(skb, entry, state, dir, tcp, flags);
        return related ? CT_RELATED : CT_REPLY;
    }
    flip4(tuple);
    entry = tcp ? bpf_map_lookup_elem(&ct4, tuple) : bpf_map_lookup_elem(&ct_any4, tuple);
    if (FAULT == 3 || entry)
        return ct_hit(skb, entry, state, dir, tcp, flags);
    if (related) {
        tuple->flags |= 2;
        entry = bpf_map_lookup_elem(&ct_any4, tuple);
        if (entry) {
            ct_hit(skb, entry, state, dir, false, 0);
            return CT_RELATED;
        }
        tuple->flags &= ~2;
    }
    return CT_NEW;
}

inline_fn int ct_lookup6(struct __sk_buff *skb, struct key6 *tuple, int off, int dir,
                         struct ct_state *state)
{
    bool tcp = tuple->proto == IPPROTO_TCP, related;
    struct ct_entry *entry;
    __u8 flags;
    int error;

    error = ports(skb, off, tuple->proto, &tuple->sport, &tuple->dport, &flags, &related);
    if (error)
        return error;
    tuple->flags = dir == INGRESS;
    flip6(tuple);
    entry = bpf_map_lookup_elem(&ct6, tuple);
    if (entry) {
        ct_hit(skb, entry, state, dir, tcp, flags);
        return related ? CT_RELATED : CT_REPLY;
    }
    flip6(tuple);
    entry = bpf_map_lookup_elem(&ct6, tuple);
    if (entry)
        return ct_hit(skb, entry, state, dir, tcp, flags);
    return CT_NEW;
}

inline_fn int ct_create4(struct __sk_buff *skb, struct key4 *tuple, struct ct_state *state, int dir)
{
    bool tcp = tuple->proto == IPPROTO_TCP;
    struct ct_entry entry = {};
    struct key4 icmp = {};
    int error;

    touch(&entry, tcp, dir, tcp ? 2 : 0);
    entry.rev_nat = state->rev_nat;
    entry.lb_loopback = state->loopback;
    entry.identity = state->identity;
    entry.proxy = state->proxy;
    if (dir == INGRESS) {
        entry.rx_packets = 1;
        entry.rx_bytes = skb->len;
    } else {
        entry.tx_packets = 1;
        entry.tx_bytes = skb->len;
    }
    error = tcp ? bpf_map_update_elem(&ct4, tuple, &entry, 0)
                : bpf_map_update_elem(&ct_any4, tuple, &entry, 0);
    if (error < 0)
        return DROP_CT;
    icmp.daddr = tuple->daddr;
    icmp.saddr = tuple->saddr;
    icmp.proto = IPPROTO_ICMP;
    icmp.flags = tuple->flags | 2;
    entry.seen_non_syn = true;
    if (bpf_map_update_elem(&ct_any4, &icmp, &entry, 0) < 0)
        return DROP_CT;
    return 0;
}

inline_fn int account(struct __sk_buff *skb, struct policy *policy)
{
    __sync_fetch_and_add(&policy->packets, 1);
    __sync_fetch_and_add(&policy->bytes, skb->len);
    if (policy->deny)
        return DROP_POLICY;
    return policy->wildcard ? 0 : policy->proxy_port;
}

inline_fn int allowed(struct __sk_buff *skb, __u32 identity, __be16 port, __u8 proto, int dir)
{
    struct policy_key key = {
        .prefix = 64 + 24,
        .identity = identity,
        .egress = dir == EGRESS,
        .proto = proto,
        .port = port,
    };
    struct policy *policy = bpf_map_lookup_elem(&policies, &key), *other;

    key.identity = 0;
    other = bpf_map_lookup_elem(&policies, &key);
    if (policy && (!other || !other->deny))
        return account(skb, policy);
    if (other)
        return account(skb, other);
    key.identity = identity;
    key.port = 0;
    key.proto = 0;
    policy = bpf_map_lookup_elem(&policies, &key);
    if (policy)
        return account(skb, policy);
    return DROP_POLICY;
}

inline_fn __u32 identity4(__be32 address)
{
    struct cidr4 key = {.prefix = 64, .family = 1, .address = address};
    struct remote *remote = bpf_map_lookup_elem(&ipcache4, &key);

    return remote ? remote->sec_label : 2;
}

inline_fn __u32 identity6(const __u32 *address)
{
    struct cidr6 key = {.prefix = 160, .family = 2};
    struct remote *remote;

    memcpy(key.address, address, 16);
    remote = bpf_map_lookup_elem(&ipcache6, &key);
    return remote ? remote->sec_label : 2;
}

inline_fn int l4_csum_off(__u8 proto)
{
    switch (proto) {
    case IPPROTO_TCP: return offsetof(struct tcphdr, check);
    case IPPROTO_UDP: return offsetof(struct udphdr, check);
    case IPPROTO_ICMPV6: return 2;
    default: return 0;
    }
}

inline_fn int rewrite4(struct __sk_buff *skb, __u8 proto, int off, __be32 from, __be32 to,
                       int field, __be16 old_port, __be16 new_port, int port_field)
{
    int csum = l4_csum_off(proto), flags = proto == IPPROTO_UDP ? BPF_F_MARK_MANGLED_0 : 0;
    __be32 sum;

    if (from != to) {
        if (bpf_skb_store_bytes(skb, ETH_HLEN + field, &to, 4, 0) < 0)
            return DROP_WRITE;
        sum = bpf_csum_diff(&from, 4, &to, 4, 0);
        if (bpf_l3_csum_replace(skb, ETH_HLEN + offsetof(struct iphdr, check), 0, sum, 0) < 0)
            return DROP_CSUM;
        if (csum && bpf_l4_csum_replace(skb, off + csum, 0, sum, BPF_F_PSEUDO_HDR | flags) < 0)
            return DROP_CSUM;
    }
    if (old_port != new_port) {
        switch (proto) {
        case IPPROTO_TCP:
        case IPPROTO_UDP:
            if (bpf_l4_csum_replace(skb, off + csum, old_port, new_port, 2 | flags) < 0)
                return DROP_CSUM;
            if (bpf_skb_store_bytes(skb, off + port_field, &new_port, 2, 0) < 0)
                return DROP_WRITE;
            break;
        case IPPROTO_ICMP:
            if (bpf_l4_csum_replace(skb, off + 2, old_port, new_port, 2) < 0)
                return DROP_CSUM;
            if (bpf_skb_store_bytes(skb, off + offsetof(struct icmphdr, un.echo.id), &new_port, 2,
                                    0) < 0)
                return DROP_WRITE;
            break;
        default:
            return DROP_PROTO;
        }
    }
    return 0;
}

inline_fn __u16 clamp_port(__u16 port)
{
    __u16 span = nat_max - nat_min;

    return nat_min + (port % (span ? span : 1));
}

inline_fn int snat_new4(struct key4 *tuple, struct snat4 *state)
{
    struct key4 back = {.daddr = node_address, .saddr = tuple->daddr, .sport = tuple->dport,
                        .proto = tuple->proto, .flags = 1};
    struct snat4 reverse = {.address = tuple->saddr, .port = tuple->sport};
    __u16 port = clamp_port(bpf_ntohs(tuple->sport));

    state->address = node_address;
    reverse.created = state->created = bpf_ktime_get_ns();
#pragma unroll
    for (int i = 0; i < 16; i++) {
        back.dport = bpf_htons(port);
        if (!bpf_map_lookup_elem(&nat4, &back)) {
            if (bpf_map_update_elem(&nat4, &back, &reverse, BPF_NOEXIST) == 0) {
                state->port = back.dport;
                if (bpf_map_update_elem(&nat4, tuple, state, 0) < 0) {
                    bpf_map_delete_elem(&nat4, &back);
                    return DROP_NO_MAPPING;
                }
                return 0;
            }
        }
        port = clamp_port(port + (i < 4 ? 1 : bpf_get_prandom_u32()));
    }
    return DROP_NO_MAPPING;
}

inline_fn int tail(struct __sk_buff *skb, __u32 index)
{
    bpf_tail_call(skb, &calls, index);
    return DROP_MISSED_TAIL;
}

SEC("tc")
int nat_egress4(struct __sk_buff *skb)
{
    void *data, *end;
    struct iphdr *ip;
    struct key4 tuple = {};
    struct snat4 *state, fresh = {};
    __u8 flags;
    bool related;
    int off, error;

    if (!revalidate(skb, &data, &end, sizeof(*ip)))
        return send_drop(skb, 0, 0, DROP_INVALID, TC_ACT_SHOT);
    ip = data + ETH_HLEN;
    tuple.saddr = ip->saddr;
    tuple.daddr = ip->daddr;
    tuple.proto = ip->protocol;
    off = ETH_HLEN + ip->ihl * 4;
    error = ports(skb, off, tuple.proto, &tuple.sport, &tuple.dport, &flags, &related);
    if (error)
        return send_drop(skb, 0, 0, error, TC_ACT_SHOT);
    if (related)
        return TC_ACT_OK;
    state = bpf_map_lookup_elem(&nat4, &tuple);
    if (state) {
        __builtin_memcpy(&fresh, state, sizeof(fresh));
    } else {
        error = snat_new4(&tuple, &fresh);
        if (error)
            return send_drop(skb, 0, 0, error, TC_ACT_SHOT);
    }
    error = rewrite4(skb, tuple.proto, off, tuple.saddr, fresh.address,
                     offsetof(struct iphdr, saddr), tuple.sport, fresh.port, 0);
    if (error)
        return send_drop(skb, 0, 0, error, TC_ACT_SHOT);
#if FAULT == 1
    if (ip->ttl == 1)
        return TC_ACT_SHOT;
#endif
    count(skb, 0, EGRESS);
    return TC_ACT_OK;
}

SEC("tc")
int nat_ingress4(struct __sk_buff *skb)
{
    void *data, *end;
    struct iphdr *ip;
    struct key4 tuple = {};
    struct snat4 *state;
    __u8 flags;
    bool related;
    int off, error;

    if (!revalidate(skb, &data, &end, sizeof(*ip)))
        return send_drop(skb, 0, 0, DROP_INVALID, TC_ACT_SHOT);
    ip = data + ETH_HLEN;
    tuple.saddr = ip->saddr;
    tuple.daddr = ip->daddr;
    tuple.proto = ip->protocol;
    tuple.flags = 1;
    off = ETH_HLEN + ip->ihl * 4;
    error = ports(skb, off, tuple.proto, &tuple.sport, &tuple.dport, &flags, &related);
    if (error)
        return send_drop(skb, 0, 0, error, TC_ACT_SHOT);
    state = bpf_map_lookup_elem(&nat4, &tuple);
    if (!state) {
        error = tail(skb, CALL_IPV4);
        return send_drop(skb, 0, 0, error, TC_ACT_SHOT);
    }
    error = rewrite4(skb, tuple.proto, off, tuple.daddr, state->address,
                     offsetof(struct iphdr, daddr), tuple.dport, state->port, 2);
    if (error)
        return send_drop(skb, 0, 0, error, TC_ACT_SHOT);
    error = tail(skb, CALL_IPV4);
    return send_drop(skb, 0, 0, error, TC_ACT_SHOT);
}

inline_fn int deliver(struct __sk_buff *skb, struct endpoint *endpoint, __u32 identity)
{
    __u64 mac = endpoint->mac, router = endpoint->node_mac;

    if (bpf_skb_store_bytes(skb, 0, &mac, ETH_ALEN, 0) < 0)
        return DROP_WRITE;
    if (bpf_skb_store_bytes(skb, ETH_ALEN, &router, ETH_ALEN, 0) < 0)
        return DROP_WRITE;
    skb->mark = identity << 16 | 0xf00;
    skb->cb[0] = identity;
    skb->cb[1] = endpoint->id;
    return bpf_redirect(endpoint->ifindex, 0);
}

SEC("tc")
int from_netdev_ipv4(struct __sk_buff *skb)
{
    void *data, *end;
    struct iphdr *ip;
    struct endpoint *endpoint;
    struct scratch *scratch;
    __u32 zero = 0, identity, dst;
    __u32 dir;
    int verdict, result, off;
    __u8 ttl;

    if (!revalidate(skb, &data, &end, sizeof(*ip)))
        return send_drop(skb, 0, 0, DROP_INVALID, TC_ACT_SHOT);
    scratch = bpf_map_lookup_elem(&scratches, &zero);
    if (!scratch)
        return TC_ACT_SHOT;
    ip = data + ETH_HLEN;
    if (ip->frag_off & bpf_htons(0x3fff))
        return send_drop(skb, 0, 0, DROP_FRAG, TC_ACT_SHOT);
    identity = identity4(ip->saddr);
    scratch->identity = identity;
    scratch->tuple4.saddr = ip->saddr;
    scratch->tuple4.daddr = dst = ip->daddr;
    scratch->tuple4.proto = ip->protocol;
    scratch->l4_off = off = ETH_HLEN + ip->ihl * 4;
    ttl = ip->ttl;
    __builtin_memset(&scratch->state, 0, sizeof(scratch->state));
    result = ct_lookup4(skb, &scratch->tuple4, off, INGRESS, &scratch->state);
    if (result < 0)
        return send_drop(skb, identity, 0, result, TC_ACT_SHOT);
    scratch->result = result;
    verdict = 0;
    if (result != CT_REPLY && result != CT_RELATED) {
        verdict = allowed(skb, identity, scratch->tuple4.dport, scratch->tuple4.proto, INGRESS);
        if (verdict < 0)
            return send_drop(skb, identity, 0, verdict, TC_ACT_SHOT);
    }
    scratch->verdict = verdict;
    if (result == CT_NEW) {
        scratch->state.identity = identity;
        verdict = ct_create4(skb, &scratch->tuple4, &scratch->state, INGRESS);
        if (verdict < 0)
            return send_drop(skb, identity, 0, verdict, TC_ACT_SHOT);
    }
    dir = skb->cb[2] & 3;
    hide(dir);
    if (dir < FAULTY(2, DIRECTIONS + 1, DIRECTIONS))
        scratch->by_direction[dir]++;
    if (ttl <= 1)
        return send_drop(skb, identity, 0, DROP_INVALID, TC_ACT_SHOT);
    endpoint = bpf_map_lookup_elem(&endpoints4, &dst);
    if (!endpoint)
        return TC_ACT_OK;
    if (bpf_l3_csum_replace(skb, ETH_HLEN + offsetof(struct iphdr, check), 0, bpf_htons(0xff00),
                            2) < 0)
        return send_drop(skb, identity, 0, DROP_CSUM, TC_ACT_SHOT);
    ttl--;
    if (bpf_skb_store_bytes(skb, ETH_HLEN + offsetof(struct iphdr, ttl), &ttl, 1, 0) < 0)
        return send_drop(skb, identity, 0, DROP_WRITE, TC_ACT_SHOT);
    result = deliver(skb, endpoint, identity);
    if (result < 0)
        return send_drop(skb, identity, endpoint->sec_id, result, TC_ACT_SHOT);
    count(skb, 0, INGRESS);
    return result;
}

/* Passes over up to four extension headers; gives the protocol behind them. */
inline_fn int skip_extensions(struct __sk_buff *skb, int start, __u8 *next)
{
    struct {
        __u8 next, len;
    } opt;
    int len = 0;

#pragma unroll
    for (int i = 0; i < 4; i++) {
        switch (*next) {
        case IPPROTO_NONE:
            return DROP_INVALID;
        case IPPROTO_FRAGMENT:
            return DROP_FRAG;
        case IPPROTO_ROUTING:
        case IPPROTO_AH:
        case IPPROTO_DSTOPTS:
        case IPPROTO_HOPOPTS:
            if (bpf_skb_load_bytes(skb, start + len, &opt, sizeof(opt)))
                return DROP_INVALID;
            if (*next == IPPROTO_AH)
                len += (opt.len + 2) << 2;
            else
                len += (opt.len + 1) << 3;
            *next = opt.next;
            break;
        default:
            return len;
        }
    }
    return DROP_INVALID;
}

SEC("tc")
int from_netdev_ipv6(struct __sk_buff *skb)
{
    void *data, *end;
    struct ipv6hdr *ip;
    struct endpoint *endpoint;
    struct in6_addr dst;
    struct key6 tuple = {};
    struct ct_state state = {};
    struct ct_entry entry = {};
    __u32 identity;
    int verdict, result, off;
    __u8 next, hops;

    if (!revalidate(skb, &data, &end, sizeof(*ip)))
        return send_drop(skb, 0, 0, DROP_INVALID, TC_ACT_SHOT);
    ip = data + ETH_HLEN;
    next = ip->nexthdr;
    hops = ip->hop_limit;
    memcpy(tuple.saddr, &ip->saddr, 16);
    memcpy(tuple.daddr, &ip->daddr, 16);
    memcpy(&dst, &ip->daddr, 16);
    off = ETH_HLEN + sizeof(*ip);
    result = skip_extensions(skb, off, &next);
    if (result < 0)
        return send_drop(skb, 0, 0, result, TC_ACT_SHOT);
    off += result;
    tuple.proto = next;
    identity = identity6(tuple.saddr);
    result = ct_lookup6(skb, &tuple, off, INGRESS, &state);
    if (result < 0)
        return send_drop(skb, identity, 0, result, TC_ACT_SHOT);
    if (result != CT_REPLY && result != CT_RELATED) {
        verdict = allowed(skb, identity, tuple.dport, tuple.proto, INGRESS);
        if (verdict < 0)
            return send_drop(skb, identity, 0, verdict, TC_ACT_SHOT);
    }
    if (result == CT_NEW) {
        touch(&entry, next == IPPROTO_TCP, INGRESS, 2);
        entry.identity = identity;
        if (bpf_map_update_elem(&ct6, &tuple, &entry, 0) < 0)
            return send_drop(skb, identity, 0, DROP_CT, TC_ACT_SHOT);
    }
    if (hops <= 1)
        return send_drop(skb, identity, 0, DROP_INVALID, TC_ACT_SHOT);
    hops--;
    if (bpf_skb_store_bytes(skb, ETH_HLEN + offsetof(struct ipv6hdr, hop_limit), &hops, 1, 0) < 0)
        return send_drop(skb, identity, 0, DROP_WRITE, TC_ACT_SHOT);
    endpoint = bpf_map_lookup_elem(&endpoints6, &dst);
    if (!endpoint)
        return TC_ACT_OK;
    result = deliver(skb, endpoint, identity);
    if (result < 0)
        return send_drop(skb, identity, endpoint->sec_id, result, TC_ACT_SHOT);
    count(skb, 0, INGRESS);
    return result;
}

SEC("tc")
int from_netdev(struct __sk_buff *skb)
{
    int error;

    if (skb->mark & 0xf00)
        skb->mark = 0;
    skb->cb[0] = skb->cb[1] = skb->cb[2] = 0;
    switch (skb->protocol) {
    case bpf_htons(ETH_P_IP):
        error = tail(skb, skb->ingress_ifindex == host_ifindex ? CALL_IPV4 : CALL_NAT4);
        break;
    case bpf_htons(ETH_P_IPV6):
        error = tail(skb, CALL_IPV6);
        break;
    case bpf_htons(ETH_P_ARP):
        error = tail(skb, CALL_ARP);
        break;
    default:
        return TC_ACT_OK;
    }
    return send_drop(skb, 0, 0, error, TC_ACT_SHOT);
}

struct arp {
    __be16 hw_type;
    __be16 proto;
    __u8 hw_len, proto_len;
    __be16 op;
    __u8 sha[6];
    __be32 sip;
    __u8 tha[6];
    __be32 tip;
} __attribute__((packed));

SEC("tc")
int answer_arp(struct __sk_buff *skb)
{
    void *data, *end;
    struct arp *arp;
    struct ethhdr *eth;
    __u8 their_mac[6];
    __be32 their_ip, tip;
    __be16 reply = bpf_htons(2);
    __u64 mac = node_mac;

    if (!revalidate(skb, &data, &end, sizeof(*arp)))
        return TC_ACT_OK;
    eth = data;
    arp = data + ETH_HLEN;
    if (arp->hw_type != bpf_htons(1) || arp->proto != bpf_htons(ETH_P_IP) ||
        arp->op != bpf_htons(1) || arp->tip != node_address)
        return TC_ACT_OK;
    memcpy(their_mac, eth->h_source, 6);
    their_ip = arp->sip;
    tip = arp->tip;
    if (bpf_skb_store_bytes(skb, 6, &mac, 6, 0) < 0 ||
        bpf_skb_store_bytes(skb, 0, their_mac, 6, 0) < 0 ||
        bpf_skb_store_bytes(skb, 20, &reply, 2, 0) < 0 ||
        bpf_skb_store_bytes(skb, 22, &mac, 6, 0) < 0 ||
        bpf_skb_store_bytes(skb, 28, &tip, 4, 0) < 0 ||
        bpf_skb_store_bytes(skb, 32, their_mac, 6, 0) < 0 ||
        bpf_skb_store_bytes(skb, 38, &their_ip, 4, 0) < 0)
        return send_drop(skb, 0, 0, DROP_WRITE, TC_ACT_SHOT);
    return bpf_redirect(skb->ifindex, 0);
}

LICENSE("GPL");
