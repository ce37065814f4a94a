/*
 * A container's way out at tc: parsing, services with sessions and maglev, policies of layer 4
 * and 7, encapsulation, everything inlined into a few programs of thousands of instructions.
 *
 * FAULT 1: a slot of the maglev table is computed with 32 bits and not bounded again.
 * FAULT 2: the options of TCP are walked without a look at the end.
 * FAULT 3: the header that was checked is another than the one that is read.
 * FAULT 4: a name is copied to one byte behind its buffer.
 */
#include "large.h"

#define MAGLEV 251
#define NAME 64
#define RULES 24

struct service_key {
    __be32 address;
    __be16 port;
    __u16 slot;
    __u8 proto;
    __u8 scope;
    __u8 pad[2];
};

struct service {
    __u32 backend;
    __u16 count;
    __u16 rev_nat;
    __u8 flags;
    __u8 flags2;
    __u16 timeout;
};

struct backend {
    __be32 address;
    __be16 port;
    __u8 proto;
    __u8 state;
};

struct affinity_key {
    __be32 client;
    __u16 rev_nat;
    __u16 pad;
};

struct affinity {
    __u64 used;
    __u32 backend;
    __u32 pad;
};

struct maglev {
    __u32 table[MAGLEV];
};

struct rule {
    __be32 src, src_mask;
    __be32 dst, dst_mask;
    __u16 port_min, port_max;
    __u8 proto;
    __u8 action;
    __u8 flags;
    __u8 tcp_flags;
    __u64 hits;
};

struct rules {
    struct rule rule[RULES];
};

struct tunnel {
    __u32 id;
    __be32 remote;
    __u8 tos, ttl;
    __u16 flags;
};

struct flow_key {
    __be32 saddr, daddr;
    __be16 sport, dport;
    __u8 proto;
    __u8 pad[3];
};

struct flow_state {
    __u64 first, last;
    __u64 packets, bytes;
    __u32 mss, window;
    __u32 options;
    __u32 backend;
    __u8 name[NAME];
};

struct sample {
    struct flow_key key;
    __u32 verdict;
    __u32 rule;
    __u64 at;
};

MAP(services, HASH, struct service_key, struct service, 16384);
MAP(backends, HASH, __u32, struct backend, 16384);
MAP(affinities, LRU_HASH, struct affinity_key, struct affinity, 16384);
MAP(maglevs, HASH, __u16, struct maglev, 512);
MAP(rulesets, ARRAY, __u32, struct rules, 64);
MAP(tunnels, HASH, __be32, struct tunnel, 4096);
MAP(flows, LRU_HASH, struct flow_key, struct flow_state, 65536);
MAP(counters, PERCPU_ARRAY, __u32, __u64, 256);
MAP(names, PERCPU_ARRAY, __u32, struct flow_state, 1);
RING(samples, 1 << 20);

inline_fn void count(__u32 index, __u64 by)
{
    __u64 *counter = bpf_map_lookup_elem(&counters, &index);

    if (counter)
        *counter += by;
}

struct parsed {
    struct flow_key key;
    __u32 l3, l4, payload;
    __u32 seq;
    __u16 window;
    __u16 mss;
    __u8 tcp_flags;
    __u8 scale;
    __u8 options;
    __u8 vlans;
};

inline_fn int tcp_options(void *at, void *end, __u32 length, struct parsed *parsed)
{
    __u8 *cursor = at;

#pragma unroll
    for (int i = 0; i < 6; i++) {
        __u8 kind, len;

        if (length == 0)
            return 0;
        if ((void *)(cursor + 1) > end)
            return -1;
        kind = cursor[0];
        if (kind == 0)
            return 0;
        if (kind == 1) {
            cursor++;
            length--;
            continue;
        }
        if (FAULT != 2 && (void *)(cursor + 2) > end)
            return -1;
        len = cursor[1];
        if (len < 2 || len > 40 || len > length)
            return -1;
        switch (kind) {
        case 2:
            if ((void *)(cursor + 4) > end)
                return -1;
            parsed->mss = cursor[2] << 8 | cursor[3];
            parsed->options |= 1;
            break;
        case 3:
            if ((void *)(cursor + 3) > end)
                return -1;
            parsed->scale = cursor[2];
            parsed->options |= 2;
            break;
        case 4:
            parsed->options |= 4;
            break;
        case 5:
            parsed->options |= 8;
            break;
        case 8:
            if ((void *)(cursor + 10) > end)
                return -1;
            parsed->options |= 16;
            break;
        case 19:
            return -1;
        case 34:
            parsed->options |= 32;
            break;
        }
        cursor += len;
        length -= len;
    }
    return 0;
}

inline_fn int parse(struct __sk_buff *skb, struct parsed *parsed)
{
    void *data = DATA(skb), *end = END(skb);
    struct ethhdr *eth = data;
    struct iphdr *ip;
    struct tcphdr *tcp;
    struct udphdr *udp;
    __be16 proto;
    __u32 off = sizeof(*eth);

    if ((void *)(eth + 1) > end)
        return -1;
    proto = eth->h_proto;
#pragma unroll
    for (int i = 0; i < 2; i++) {
        struct {
            __be16 tci, proto;
        } *vlan = data + off;

        if (proto != bpf_htons(ETH_P_8021Q) && proto != bpf_htons(ETH_P_8021AD))
            break;
        if ((void *)(vlan + 1) > end)
            return -1;
        proto = vlan->proto;
        off += sizeof(*vlan);
        parsed->vlans++;
    }
    if (proto != bpf_htons(ETH_P_IP))
        return -2;
    ip = data + off;
    if ((void *)(ip + 1) > end)
        return -1;
    if (ip->version != 4 || ip->ihl < 5)
        return -1;
    if (ip->frag_off & bpf_htons(0x1fff))
        return -3;
    parsed->l3 = off;
    parsed->key.saddr = ip->saddr;
    parsed->key.daddr = ip->daddr;
    parsed->key.proto = ip->protocol;
    off += ip->ihl * 4;
    parsed->l4 = off;
    switch (ip->protocol) {
    case IPPROTO_TCP:
        tcp = data + off;
        if (FAULT == 3 ? (void *)((struct tcphdr *)(ip + 1) + 1) > end : (void *)(tcp + 1) > end)
            return -1;
        parsed->key.sport = tcp->source;
        parsed->key.dport = tcp->dest;
        parsed->seq = bpf_ntohl(tcp->seq);
        parsed->window = bpf_ntohs(tcp->window);
        parsed->tcp_flags = ((__u8 *)tcp)[13];
        if (tcp->doff < 5)
            return -1;
        parsed->payload = off + tcp->doff * 4;
        if (parsed->tcp_flags & 2) {
            if (tcp_options(tcp + 1, end, tcp->doff * 4 - sizeof(*tcp), parsed))
                return -1;
        }
        return 0;
    case IPPROTO_UDP:
        udp = data + off;
        if ((void *)(udp + 1) > end)
            return -1;
        parsed->key.sport = udp->source;
        parsed->key.dport = udp->dest;
        parsed->payload = off + sizeof(*udp);
        return 0;
    case IPPROTO_ICMP: {
        struct icmphdr *icmp = data + off;

        if ((void *)(icmp + 1) > end)
            return -1;
        parsed->key.sport = icmp->un.echo.id;
        parsed->key.dport = icmp->type << 8 | icmp->code;
        parsed->payload = off + sizeof(*icmp);
        return 0;
    }
    default:
        return -2;
    }
}

inline_fn int match_rules(struct parsed *parsed, __u32 set, __u32 *which)
{
    struct rules *rules = bpf_map_lookup_elem(&rulesets, &set);
    __u16 port = bpf_ntohs(parsed->key.dport);

    if (!rules)
        return TC_ACT_SHOT;
#pragma unroll
    for (int i = 0; i < RULES; i++) {
        struct rule *rule = &rules->rule[i];

        if (rule->action == 0xff)
            break;
        if (rule->proto && rule->proto != parsed->key.proto)
            continue;
        if ((parsed->key.saddr & rule->src_mask) != rule->src)
            continue;
        if ((parsed->key.daddr & rule->dst_mask) != rule->dst)
            continue;
        if (port < rule->port_min || port > rule->port_max)
            continue;
        if (rule->flags & 1 && (parsed->tcp_flags & rule->tcp_flags) != rule->tcp_flags)
            continue;
        __sync_fetch_and_add(&rule->hits, 1);
        *which = i;
        return rule->action;
    }
    return TC_ACT_SHOT;
}

inline_fn __u32 select_backend(struct parsed *parsed, struct service *service,
                               struct service_key *key)
{
    struct affinity_key who = {.client = parsed->key.saddr, .rev_nat = service->rev_nat};
    struct affinity *known, new = {};
    struct maglev *maglev;
    struct service *slot;
    __u32 hash, index;
    __u16 number = service->rev_nat;
    __u64 at = bpf_ktime_get_ns();

    if (service->flags & 1) {
        known = bpf_map_lookup_elem(&affinities, &who);
        if (known) {
            if (known->used + (__u64)service->timeout * 1000000000ULL > at) {
                if (bpf_map_lookup_elem(&backends, &known->backend)) {
                    known->used = at;
                    return known->backend;
                }
            }
            bpf_map_delete_elem(&affinities, &who);
        }
    }
    hash = jhash_3words(parsed->key.saddr, parsed->key.daddr,
                        parsed->key.sport << 16 | parsed->key.dport, 0x5eed);
    if (service->flags & 2) {
        maglev = bpf_map_lookup_elem(&maglevs, &number);
        if (!maglev)
            return 0;
        index = FAULTY(1, hash % 512, hash % MAGLEV);
        hide(index);
        if (index >= FAULTY(1, MAGLEV + 1, MAGLEV))
            return 0;
        index = maglev->table[index];
    } else {
        if (!service->count)
            return 0;
        key->slot = hash % service->count + 1;
        slot = bpf_map_lookup_elem(&services, key);
        if (!slot)
            return 0;
        index = slot->backend;
    }
    if (service->flags & 1) {
        new.used = at;
        new.backend = index;
        bpf_map_update_elem(&affinities, &who, &new, BPF_ANY);
    }
    return index;
}

inline_fn int translate(struct __sk_buff *skb, struct parsed *parsed, struct backend *backend)
{
    __be32 old = parsed->key.daddr, new = backend->address;
    __be16 old_port = parsed->key.dport, new_port = backend->port;
    __u32 l4 = parsed->l4, csum;
    __u64 flags = BPF_F_PSEUDO_HDR;
    __s64 sum;

    switch (parsed->key.proto) {
    case IPPROTO_TCP: csum = l4 + offsetof(struct tcphdr, check); break;
    case IPPROTO_UDP:
        csum = l4 + offsetof(struct udphdr, check);
        flags |= BPF_F_MARK_MANGLED_0;
        break;
    default: return -1;
    }
    if (new != old) {
        sum = bpf_csum_diff(&old, 4, &new, 4, 0);
        if (bpf_skb_store_bytes(skb, parsed->l3 + offsetof(struct iphdr, daddr), &new, 4, 0))
            return -1;
        if (bpf_l3_csum_replace(skb, parsed->l3 + offsetof(struct iphdr, check), 0, sum, 0))
            return -1;
        if (bpf_l4_csum_replace(skb, csum, 0, sum, flags))
            return -1;
    }
    if (new_port && new_port != old_port) {
        if (bpf_l4_csum_replace(skb, csum, old_port, new_port, 2 | (flags & ~BPF_F_PSEUDO_HDR)))
            return -1;
        if (bpf_skb_store_bytes(skb, l4 + 2, &new_port, 2, 0))
            return -1;
    }
    parsed->key.daddr = new;
    parsed->key.dport = new_port;
    return 0;
}

/* The host of an HTTP request, or the server name of a TLS hello: as far as it is found in the
 * first bytes of the payload. */
inline_fn int server_name(struct __sk_buff *skb, struct parsed *parsed, struct flow_state *into)
{
    __u8 head[8];
    __u32 at = parsed->payload, found = 0;

    if (bpf_skb_load_bytes(skb, at, head, sizeof(head)))
        return 0;
    if (head[0] == 0x16 && head[1] == 3) {
        __u8 session;
        __be16 ciphers, extensions, kind, length;
        __u8 compressions;

        at += 43;
        if (bpf_skb_load_bytes(skb, at, &session, 1))
            return 0;
        at += 1 + session;
        if (bpf_skb_load_bytes(skb, at, &ciphers, 2))
            return 0;
        at += 2 + bpf_ntohs(ciphers);
        if (bpf_skb_load_bytes(skb, at, &compressions, 1))
            return 0;
        at += 1 + compressions;
        if (bpf_skb_load_bytes(skb, at, &extensions, 2))
            return 0;
        at += 2;
#pragma unroll
        for (int i = 0; i < 12; i++) {
            if (bpf_skb_load_bytes(skb, at, &kind, 2))
                return 0;
            if (bpf_skb_load_bytes(skb, at + 2, &length, 2))
                return 0;
            if (kind == 0) {
                at += 9;
                found = bpf_ntohs(length) - 5;
                break;
            }
            at += 4 + bpf_ntohs(length);
        }
    } else if (head[0] == 'G' && head[1] == 'E' && head[2] == 'T') {
        at += 4;
        found = NAME - 1;
    }
    if (!found)
        return 0;
    if (found > FAULTY(4, NAME + 1, NAME - 1))
        found = FAULTY(4, NAME + 1, NAME - 1);
    hide(found);
    if (found == 0 || found > FAULTY(4, NAME + 1, NAME - 1))
        return 0;
    if (bpf_skb_load_bytes(skb, at, into->name, found))
        return 0;
    return found;
}

inline_fn void record(struct parsed *parsed, __u32 verdict, __u32 rule)
{
    struct sample *sample = bpf_ringbuf_reserve(&samples, sizeof(*sample), 0);

    if (!sample) {
        count(10, 1);
        return;
    }
    sample->key = parsed->key;
    sample->verdict = verdict;
    sample->rule = rule;
    sample->at = bpf_ktime_get_ns();
    if (verdict == TC_ACT_OK && rule == 0)
        bpf_ringbuf_discard(sample, 0);
    else
        bpf_ringbuf_submit(sample, BPF_RB_NO_WAKEUP);
}

inline_fn int encapsulate(struct __sk_buff *skb, struct parsed *parsed)
{
    struct bpf_tunnel_key key = {};
    struct tunnel *tunnel;
    __be32 prefix = parsed->key.daddr & bpf_htonl(0xffffff00);

    tunnel = bpf_map_lookup_elem(&tunnels, &prefix);
    if (!tunnel)
        return 0;
    key.tunnel_id = tunnel->id;
    key.remote_ipv4 = bpf_ntohl(tunnel->remote);
    key.tunnel_tos = tunnel->tos;
    key.tunnel_ttl = tunnel->ttl ? tunnel->ttl : 64;
    if (bpf_skb_set_tunnel_key(skb, &key, sizeof(key), BPF_F_ZERO_CSUM_TX))
        return -1;
    return 1;
}

inline_fn int work(struct __sk_buff *skb, __u32 set, bool l7)
{
    struct parsed parsed = {};
    struct service_key service_key = {};
    struct service *service;
    struct backend *backend;
    struct flow_state *flow, *fresh;
    __u32 zero = 0, rule = 0, id = 0;
    int result, action;
    __u64 at = bpf_ktime_get_ns();

    result = parse(skb, &parsed);
    if (result == -2)
        return TC_ACT_OK;
    if (result < 0) {
        count(-result, 1);
        return TC_ACT_SHOT;
    }
    action = match_rules(&parsed, set, &rule);
    count(16 + (rule & 31), 1);
    if (action == TC_ACT_SHOT) {
        record(&parsed, action, rule);
        return action;
    }
    flow = bpf_map_lookup_elem(&flows, &parsed.key);
    if (flow) {
        flow->last = at;
        flow->packets++;
        flow->bytes += skb->len;
        id = flow->backend;
    } else {
        fresh = bpf_map_lookup_elem(&names, &zero);
        if (!fresh)
            return TC_ACT_SHOT;
        __builtin_memset(fresh->name, 0, NAME);
        fresh->first = fresh->last = at;
        fresh->packets = 1;
        fresh->bytes = skb->len;
        fresh->mss = parsed.mss;
        fresh->window = (__u32)parsed.window << (parsed.scale & 15);
        fresh->options = parsed.options;
        if (l7 && parsed.key.proto == IPPROTO_TCP)
            server_name(skb, &parsed, fresh);
        service_key.address = parsed.key.daddr;
        service_key.port = parsed.key.dport;
        service_key.proto = parsed.key.proto;
        service = bpf_map_lookup_elem(&services, &service_key);
        if (!service) {
            service_key.port = 0;
            service = bpf_map_lookup_elem(&services, &service_key);
        }
        if (service)
            id = select_backend(&parsed, service, &service_key);
        fresh->backend = id;
        bpf_map_update_elem(&flows, &parsed.key, fresh, BPF_ANY);
    }
    if (id) {
        backend = bpf_map_lookup_elem(&backends, &id);
        if (!backend) {
            count(11, 1);
            record(&parsed, TC_ACT_SHOT, rule);
            return TC_ACT_SHOT;
        }
        if (translate(skb, &parsed, backend)) {
            count(12, 1);
            return TC_ACT_SHOT;
        }
    }
    result = encapsulate(skb, &parsed);
    if (result < 0)
        return TC_ACT_SHOT;
    record(&parsed, action, rule);
    if (result > 0)
        return bpf_redirect(7, 0);
    if (parsed.vlans && bpf_skb_vlan_pop(skb))
        return TC_ACT_SHOT;
    return action == 3 ? TC_ACT_PIPE : TC_ACT_OK;
}

SEC("tc")
int from_container(struct __sk_buff *skb)
{
    return work(skb, 0, true);
}

SEC("tc")
int to_container(struct __sk_buff *skb)
{
    __u32 set = skb->cb[0] & 63;

    return work(skb, set, false);
}

LICENSE("GPL");
