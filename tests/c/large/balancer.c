/*
 * A load balancer at the NIC: virtual addresses, connection table, consistent hashing, and
 * encapsulation in IP or UDP with checksums.
 *
 * FAULT 1: the packet is not looked at again after it has grown.
 * FAULT 2: one counter more than the statistics have.
 * FAULT 3: the inner header of an ICMP error is not checked.
 * FAULT 4: the statistics of the real are used though there may be none.
 */
#include "large.h"

#define MAX_VIPS 512
#define RING_SIZE 65537
#define MAX_REALS 4096
#define MAX_LRU 65536
#define F_ICMP 1
#define F_SYN 2
#define F_QUIC 4
#define F_NO_LRU 8
#define F_SRC_ONLY 16
#define F_GUE 32
#define F_LOCAL 64
#define NO_FLAG 0

#define GUE_PORT 6080

struct flow {
    union {
        __be32 src;
        __be32 srcv6[4];
    };
    union {
        __be32 dst;
        __be32 dstv6[4];
    };
    union {
        __u32 ports;
        __u16 port16[2];
    };
    __u8 proto;
    __u8 pad[3];
};

struct vip {
    union {
        __be32 vip;
        __be32 vipv6[4];
    };
    __u16 port;
    __u8 proto;
    __u8 pad;
};

struct vip_meta {
    __u32 flags;
    __u32 number;
};

struct real {
    union {
        __be32 dst;
        __be32 dstv6[4];
    };
    __u8 flags;
    __u8 pad[3];
};

struct real_lru {
    __u32 number;
    __u64 at;
};

struct stats {
    __u64 packets;
    __u64 bytes;
};

struct control {
    union {
        __u8 mac[8];
        __u64 value;
        __u32 ifindex;
    };
};

MAP(vips, HASH, struct vip, struct vip_meta, MAX_VIPS);
MAP(connections, LRU_HASH, struct flow, struct real_lru, MAX_LRU);
MAP(ring, ARRAY, __u32, __u32, MAX_VIPS *RING_SIZE);
MAP(reals, ARRAY, __u32, struct real, MAX_REALS);
MAP(real_stats, PERCPU_ARRAY, __u32, struct stats, MAX_REALS);
MAP(vip_stats, PERCPU_ARRAY, __u32, struct stats, MAX_VIPS * 2);
MAP(controls, ARRAY, __u32, struct control, 16);
MAP(server_ids, ARRAY, __u32, __u32, 1 << 16);
MAP(sources, ARRAY, __u32, struct real, 2);
MAP(decap_dst, HASH, struct real, __u32, 64);

struct packet {
    struct flow flow;
    __u32 real_index;
    __u16 length;
    __u8 flags;
    __u8 tos;
    __u8 inner_offset;
};

#define SYN_SET 1
#define RST_SET 2
#define IN_ICMP 4

inline_fn void count_real(__u32 index, __u16 bytes)
{
    struct stats *stats = bpf_map_lookup_elem(&real_stats, &index);

    if (FAULTY(4, 0, !stats))
        return;
    stats->packets++;
    stats->bytes += bytes;
}

inline_fn void count_vip(__u32 index, __u16 bytes)
{
    struct stats *stats = bpf_map_lookup_elem(&vip_stats, &index);

    if (!stats)
        return;
    stats->packets++;
    stats->bytes += bytes;
}

inline_fn int parse_udp(void *data, void *end, bool v6, struct packet *packet)
{
    __u64 off = sizeof(struct ethhdr) + (v6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr));
    struct udphdr *udp;

    if (packet->flags & IN_ICMP)
        off += v6 ? sizeof(struct icmp6hdr) + sizeof(struct ipv6hdr)
                  : sizeof(struct icmphdr) + sizeof(struct iphdr);
    udp = data + off;
    if ((void *)(udp + 1) > end)
        return -1;
    if (packet->flags & IN_ICMP) {
        packet->flow.port16[0] = udp->dest;
        packet->flow.port16[1] = udp->source;
    } else {
        packet->flow.port16[0] = udp->source;
        packet->flow.port16[1] = udp->dest;
    }
    return 0;
}

inline_fn int parse_tcp(void *data, void *end, bool v6, struct packet *packet)
{
    __u64 off = sizeof(struct ethhdr) + (v6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr));
    struct tcphdr *tcp;

    if (packet->flags & IN_ICMP)
        off += v6 ? sizeof(struct icmp6hdr) + sizeof(struct ipv6hdr)
                  : sizeof(struct icmphdr) + sizeof(struct iphdr);
    tcp = data + off;
    if ((void *)(tcp + 1) > end)
        return -1;
    if (tcp->syn)
        packet->flags |= SYN_SET;
    if (tcp->rst)
        packet->flags |= RST_SET;
    if (packet->flags & IN_ICMP) {
        packet->flow.port16[0] = tcp->dest;
        packet->flow.port16[1] = tcp->source;
    } else {
        packet->flow.port16[0] = tcp->source;
        packet->flow.port16[1] = tcp->dest;
    }
    return 0;
}

/* Answers an echo request, or looks at the packet that an error is about. */
inline_fn int parse_icmp(void *data, void *end, struct packet *packet)
{
    struct ethhdr *eth = data;
    struct iphdr *ip = (void *)(eth + 1), *inner;
    struct icmphdr *icmp = (void *)(ip + 1);
    __be32 address;
    __u8 mac[ETH_ALEN];

    if ((void *)(icmp + 1) > end)
        return XDP_DROP;
    if (icmp->type == ICMP_ECHO) {
        icmp->type = ICMP_ECHOREPLY;
        icmp->checksum = csum_update(icmp->checksum, ICMP_ECHO, ICMP_ECHOREPLY);
        address = ip->saddr;
        ip->saddr = ip->daddr;
        ip->daddr = address;
        ip->ttl = 64;
        memcpy(mac, eth->h_source, ETH_ALEN);
        memcpy(eth->h_source, eth->h_dest, ETH_ALEN);
        memcpy(eth->h_dest, mac, ETH_ALEN);
        return XDP_TX;
    }
    if (icmp->type != ICMP_DEST_UNREACH)
        return XDP_PASS;
    inner = (void *)(icmp + 1);
    if (FAULTY(3, (void *)(icmp + 1) > end, (void *)(inner + 1) > end))
        return XDP_DROP;
    if (inner->ihl != 5)
        return XDP_DROP;
    packet->flow.proto = inner->protocol;
    packet->flags |= IN_ICMP;
    packet->flow.src = inner->daddr;
    packet->flow.dst = inner->saddr;
    return -1;
}

inline_fn int parse_icmp6(void *data, void *end, struct packet *packet)
{
    struct ethhdr *eth = data;
    struct ipv6hdr *ip = (void *)(eth + 1), *inner;
    struct icmp6hdr *icmp = (void *)(ip + 1);
    struct in6_addr address;
    __u8 mac[ETH_ALEN];

    if ((void *)(icmp + 1) > end)
        return XDP_DROP;
    if (icmp->icmp6_type == ICMPV6_ECHO_REQUEST) {
        icmp->icmp6_type = ICMPV6_ECHO_REPLY;
        icmp->icmp6_cksum -= 1;
        ip->hop_limit = 64;
        address = ip->saddr;
        ip->saddr = ip->daddr;
        ip->daddr = address;
        memcpy(mac, eth->h_source, ETH_ALEN);
        memcpy(eth->h_source, eth->h_dest, ETH_ALEN);
        memcpy(eth->h_dest, mac, ETH_ALEN);
        return XDP_TX;
    }
    if (icmp->icmp6_type != ICMPV6_PKT_TOOBIG && icmp->icmp6_type != ICMPV6_DEST_UNREACH)
        return XDP_PASS;
    inner = (void *)(icmp + 1);
    if ((void *)(inner + 1) > end)
        return XDP_DROP;
    packet->flow.proto = inner->nexthdr;
    packet->flags |= IN_ICMP;
    memcpy(packet->flow.srcv6, inner->daddr.in6_u.u6_addr32, 16);
    memcpy(packet->flow.dstv6, inner->saddr.in6_u.u6_addr32, 16);
    return -1;
}

inline_fn __u32 flow_hash(struct packet *packet, bool v6)
{
    if (v6)
        return jhash_3words(jhash_words(packet->flow.srcv6, 4, MAX_VIPS), packet->flow.ports, 1, 2);
    return jhash_3words(packet->flow.src, packet->flow.ports, 1, 2);
}

inline_fn struct real *choose(struct packet *packet, struct vip_meta *meta, bool v6)
{
    struct real_lru entry = {};
    __u32 hash, key, *index;

    if (meta->flags & F_SRC_ONLY)
        packet->flow.port16[0] = 0;
    if (meta->flags & F_QUIC)
        packet->flow.port16[0] ^= packet->flow.port16[1];
    hash = flow_hash(packet, v6) % RING_SIZE;
    key = RING_SIZE * meta->number + hash;
    index = bpf_map_lookup_elem(&ring, &key);
    if (!index)
        return NULL;
    packet->real_index = *index;
    key = *index;
    if (!(meta->flags & F_NO_LRU)) {
        entry.number = key;
        if (packet->flow.proto == IPPROTO_UDP)
            entry.at = bpf_ktime_get_ns();
        bpf_map_update_elem(&connections, &packet->flow, &entry, BPF_ANY);
    }
    return bpf_map_lookup_elem(&reals, &key);
}

inline_fn struct real *connected(struct packet *packet)
{
    struct real_lru *entry = bpf_map_lookup_elem(&connections, &packet->flow);
    __u64 now;
    __u32 key;

    if (!entry)
        return NULL;
    if (packet->flow.proto == IPPROTO_UDP) {
        now = bpf_ktime_get_ns();
        if (now - entry->at > 30000000000ULL)
            return NULL;
        entry->at = now;
    }
    key = entry->number;
    packet->real_index = key;
    return bpf_map_lookup_elem(&reals, &key);
}

/* The server that a connection id of QUIC names. */
inline_fn struct real *quic(void *data, void *end, bool v6, struct packet *packet)
{
    __u64 off = sizeof(struct ethhdr) + sizeof(struct udphdr) +
                (v6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr));
    __u8 *payload = data + off, *id;
    __u32 key, *number;

    if (payload + 1 > (__u8 *)end)
        return NULL;
    if (*payload & 0x80) {
        if (payload + 14 > (__u8 *)end || payload[5] < 8)
            return NULL;
        if ((*payload & 0x30) < 0x20)
            return NULL;
        id = payload + 6;
    } else {
        if (payload + 9 > (__u8 *)end)
            return NULL;
        id = payload + 1;
    }
    switch (id[0] >> 6) {
    case 1: key = (id[0] & 0x3f) << 10 | id[1] << 2 | id[2] >> 6; break;
    case 2: key = id[1] << 8 | id[2]; break;
    default: return NULL;
    }
    number = bpf_map_lookup_elem(&server_ids, &key);
    if (!number)
        return NULL;
    key = *number;
    if (key == 0 || key >= MAX_REALS)
        return NULL;
    packet->real_index = key;
    return bpf_map_lookup_elem(&reals, &key);
}

inline_fn int grow4(struct xdp_md *ctx, struct packet *packet, struct real *real, bool gue,
                    struct control *control)
{
    int more = sizeof(struct iphdr) + (gue ? sizeof(struct udphdr) : 0);
    void *data = DATA(ctx), *end;
    struct ethhdr *new_eth, *old_eth;
    struct udphdr *udp;
    struct iphdr *ip;
    __u32 key = 0, sum = 0;
    struct real *source = bpf_map_lookup_elem(&sources, &key);
    __be32 dst = real->dst;
    __u16 *word;

    if (!source)
        return XDP_DROP;
    if (bpf_xdp_adjust_head(ctx, -more))
        return XDP_DROP;
    data = FAULTY(1, data, DATA(ctx));
    end = END(ctx);
    new_eth = data;
    old_eth = data + more;
    ip = data + sizeof(struct ethhdr);
    udp = (void *)(ip + 1);
    if ((void *)(new_eth + 1) > end || (void *)(old_eth + 1) > end || (void *)(ip + 1) > end)
        return XDP_DROP;
    if (gue && (void *)(udp + 1) > end)
        return XDP_DROP;
    memcpy(new_eth->h_dest, control->mac, ETH_ALEN);
    memcpy(new_eth->h_source, old_eth->h_dest, ETH_ALEN);
    new_eth->h_proto = bpf_htons(ETH_P_IP);
    ip->version = 4;
    ip->ihl = 5;
    ip->frag_off = 0;
    ip->protocol = gue ? IPPROTO_UDP : IPPROTO_IPIP;
    ip->check = 0;
    ip->tos = packet->tos;
    ip->tot_len = bpf_htons(packet->length + more);
    ip->id = 0;
    ip->daddr = dst;
    ip->saddr = source->dst ^ (packet->flow.src & 0xffff0000);
    ip->ttl = 64;
    word = (__u16 *)ip;
#pragma unroll
    for (int i = 0; i < (int)sizeof(struct iphdr) / 2; i++)
        sum += *word++;
    ip->check = csum_fold(sum);
    if (gue) {
        udp->source = packet->flow.port16[0] ^ bpf_htons(0x8000);
        udp->dest = bpf_htons(GUE_PORT);
        udp->len = bpf_htons(packet->length + sizeof(*udp));
        udp->check = 0;
    }
    return XDP_TX;
}

inline_fn int grow6(struct xdp_md *ctx, struct packet *packet, struct real *real, bool v6,
                    struct control *control)
{
    int more = sizeof(struct ipv6hdr);
    struct ethhdr *new_eth, *old_eth;
    void *data, *end;
    struct ipv6hdr *ip;
    __u32 key = 1, mixed;
    struct real *source = bpf_map_lookup_elem(&sources, &key);

    if (!source)
        return XDP_DROP;
    mixed = v6 ? packet->flow.srcv6[3] ^ packet->flow.port16[0] : packet->flow.src;
    if (bpf_xdp_adjust_head(ctx, -more))
        return XDP_DROP;
    data = DATA(ctx);
    end = END(ctx);
    new_eth = data;
    old_eth = data + more;
    ip = data + sizeof(struct ethhdr);
    if ((void *)(new_eth + 1) > end || (void *)(old_eth + 1) > end || (void *)(ip + 1) > end)
        return XDP_DROP;
    memcpy(new_eth->h_dest, control->mac, ETH_ALEN);
    memcpy(new_eth->h_source, old_eth->h_dest, ETH_ALEN);
    new_eth->h_proto = bpf_htons(ETH_P_IPV6);
    ip->version = 6;
    ip->priority = packet->tos >> 4;
    memset(ip->flow_lbl, 0, 3);
    ip->flow_lbl[0] = packet->tos << 4;
    ip->nexthdr = v6 ? IPPROTO_IPV6 : IPPROTO_IPIP;
    ip->payload_len = bpf_htons(packet->length + (v6 ? more : 0));
    ip->hop_limit = 64;
    memcpy(ip->daddr.in6_u.u6_addr32, real->dstv6, 16);
    memcpy(ip->saddr.in6_u.u6_addr32, source->dstv6, 16);
    ip->saddr.in6_u.u6_addr32[3] ^= mixed;
    return XDP_TX;
}

/* Takes off what another balancer has put around a packet. */
inline_fn int shrink(struct xdp_md *ctx, bool outer_v6, bool inner_v6)
{
    int less = outer_v6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);
    struct ethhdr *new_eth, *old_eth = DATA(ctx);

    new_eth = DATA(ctx) + less;
    if ((void *)(new_eth + 1) > END(ctx) || (void *)(old_eth + 1) > END(ctx))
        return -1;
    memcpy(new_eth->h_source, old_eth->h_source, ETH_ALEN);
    memcpy(new_eth->h_dest, old_eth->h_dest, ETH_ALEN);
    new_eth->h_proto = inner_v6 ? bpf_htons(ETH_P_IPV6) : bpf_htons(ETH_P_IP);
    return bpf_xdp_adjust_head(ctx, less) ? -1 : 0;
}

inline_fn int process(struct xdp_md *ctx, bool v6)
{
    void *data = DATA(ctx), *end = END(ctx);
    struct packet packet = {};
    struct vip vip = {};
    struct vip_meta *meta;
    struct control *control;
    struct real *real = NULL;
    __u64 off = sizeof(struct ethhdr);
    __u32 key = 0, number;
    struct stats *total;
    int action;

    if (v6) {
        struct ipv6hdr *ip = data + off;

        if ((void *)(ip + 1) > end)
            return XDP_DROP;
        packet.flow.proto = ip->nexthdr;
        packet.length = bpf_ntohs(ip->payload_len);
        packet.tos = ip->priority << 4 | ip->flow_lbl[0] >> 4;
        if (ip->nexthdr == IPPROTO_FRAGMENT)
            return XDP_DROP;
        memcpy(packet.flow.srcv6, ip->saddr.in6_u.u6_addr32, 16);
        memcpy(packet.flow.dstv6, ip->daddr.in6_u.u6_addr32, 16);
        if (ip->nexthdr == IPPROTO_ICMPV6) {
            action = parse_icmp6(data, end, &packet);
            if (action >= 0)
                return action;
        }
    } else {
        struct iphdr *ip = data + off;

        if ((void *)(ip + 1) > end || ip->ihl != 5)
            return XDP_DROP;
        packet.flow.proto = ip->protocol;
        packet.length = bpf_ntohs(ip->tot_len);
        packet.tos = ip->tos;
        if (ip->frag_off & bpf_htons(0x3fff))
            return XDP_DROP;
        packet.flow.src = ip->saddr;
        packet.flow.dst = ip->daddr;
        if (ip->protocol == IPPROTO_ICMP) {
            action = parse_icmp(data, end, &packet);
            if (action >= 0)
                return action;
        }
    }
    if (packet.flow.proto == IPPROTO_IPIP || packet.flow.proto == IPPROTO_IPV6) {
        struct real key6 = {};
        __u32 *known;

        if (v6)
            memcpy(key6.dstv6, packet.flow.dstv6, 16);
        else
            key6.dst = packet.flow.dst;
        known = bpf_map_lookup_elem(&decap_dst, &key6);
        if (!known)
            return XDP_PASS;
        if (shrink(ctx, v6, packet.flow.proto == IPPROTO_IPV6))
            return XDP_DROP;
        return XDP_PASS;
    }
    if (packet.flow.proto == IPPROTO_TCP) {
        if (parse_tcp(data, end, v6, &packet))
            return XDP_DROP;
    } else if (packet.flow.proto == IPPROTO_UDP) {
        if (parse_udp(data, end, v6, &packet))
            return XDP_DROP;
    } else {
        return XDP_PASS;
    }
    if (v6)
        memcpy(vip.vipv6, packet.flow.dstv6, 16);
    else
        vip.vip = packet.flow.dst;
    vip.port = packet.flow.port16[1];
    vip.proto = packet.flow.proto;
    meta = bpf_map_lookup_elem(&vips, &vip);
    if (!meta) {
        vip.port = 0;
        meta = bpf_map_lookup_elem(&vips, &vip);
        if (!meta)
            return XDP_PASS;
        if (!(meta->flags & F_QUIC))
            packet.flow.port16[1] = 0;
    }
    if ((void *)(long)ctx->data_end - (void *)(long)ctx->data > 1500)
        return XDP_DROP;
    number = meta->number;
    if (meta->flags & F_QUIC && packet.flow.proto == IPPROTO_UDP)
        real = quic(data, end, v6, &packet);
    if (!real && !(packet.flags & SYN_SET) && !(meta->flags & F_NO_LRU))
        real = connected(&packet);
    if (!real)
        real = choose(&packet, meta, v6);
    if (!real)
        return XDP_DROP;
    count_vip(number, packet.length);
    count_real(packet.real_index, packet.length);
    total = bpf_map_lookup_elem(&vip_stats, &key);
    if (total && number < FAULTY(2, 3, 2))
        (&total->packets)[number]++;
    if (packet.flags & RST_SET)
        bpf_map_delete_elem(&connections, &packet.flow);
    control = bpf_map_lookup_elem(&controls, &key);
    if (!control)
        return XDP_DROP;
    if (real->flags & 1 || v6)
        return grow6(ctx, &packet, real, v6, control);
    return grow4(ctx, &packet, real, meta->flags & F_GUE, control);
}

SEC("xdp")
int balance(struct xdp_md *ctx)
{
    struct ethhdr *eth = DATA(ctx);

    if ((void *)(eth + 1) > END(ctx))
        return XDP_DROP;
    if (eth->h_proto == bpf_htons(ETH_P_IP))
        return process(ctx, false);
    if (eth->h_proto == bpf_htons(ETH_P_IPV6))
        return process(ctx, true);
    return XDP_PASS;
}

LICENSE("GPL");
