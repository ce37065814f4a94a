/*
 * Services at the socket: connect, sendmsg, recvmsg, getpeername and bind of both IP versions
 * are translated before a packet exists.
 *
 * FAULT 1: the port that a program for connect() writes is wider than the field.
 * FAULT 2: the entry of the reverse map is written without a look at it.
 * FAULT 3: a program for getpeername refuses.
 */
#include "large.h"

struct service4 {
    __be32 address;
    __be16 port;
    __u16 slot;
    __u8 proto;
    __u8 scope;
    __u16 pad;
};

struct service6 {
    __u32 address[4];
    __be16 port;
    __u16 slot;
    __u8 proto;
    __u8 scope;
    __u16 pad;
};

struct service {
    __u32 backend;
    __u16 count, rev_nat;
    __u8 flags, flags2;
    __u16 timeout;
};

struct backend4 {
    __be32 address;
    __be16 port;
    __u16 proto;
};

struct backend6 {
    __u32 address[4];
    __be16 port;
    __u16 proto;
};

struct reverse4_key {
    __u64 cookie;
    __be32 address;
    __be16 port;
    __u16 pad;
};

struct reverse4 {
    __be32 address;
    __be16 port;
    __u16 rev_nat;
};

struct reverse6_key {
    __u64 cookie;
    __u32 address[4];
    __be16 port;
    __u16 pad;
    __u32 pad2;
};

struct reverse6 {
    __u32 address[4];
    __be16 port;
    __u16 rev_nat;
};

struct affinity_key {
    __u64 cookie;
    __u32 rev_nat;
    __u32 pad;
};

struct affinity {
    __u64 used;
    __u64 backend;
};

MAP(services4, HASH, struct service4, struct service, 16384);
MAP(services6, HASH, struct service6, struct service, 16384);
MAP(backends4, HASH, __u32, struct backend4, 16384);
MAP(backends6, HASH, __u32, struct backend6, 16384);
MAP(reverses4, LRU_HASH, struct reverse4_key, struct reverse4, 65536);
MAP(reverses6, LRU_HASH, struct reverse6_key, struct reverse6, 65536);
MAP(affinities, LRU_HASH, struct affinity_key, struct affinity, 16384);
MAP(statistics, PERCPU_ARRAY, __u32, __u64, 32);

volatile const __u64 host_cookie = 4026531840ULL;
volatile const __u16 node_ports_min = 30000, node_ports_max = 32767;

inline_fn void count(__u32 index)
{
    __u64 *counter = bpf_map_lookup_elem(&statistics, &index);

    if (counter)
        __sync_fetch_and_add(counter, 1);
}

inline_fn __u8 proto_of(struct bpf_sock_addr *ctx)
{
    switch (ctx->protocol) {
    case IPPROTO_TCP: return IPPROTO_TCP;
    case IPPROTO_UDPLITE:
    case IPPROTO_UDP: return IPPROTO_UDP;
    default: return 0;
    }
}

inline_fn bool is_v4_in_v6(const __u32 *address)
{
    return address[0] == 0 && address[1] == 0 && address[2] == bpf_htonl(0xffff);
}

inline_fn struct service *find4(struct service4 *key, bool in_host)
{
    struct service *service = bpf_map_lookup_elem(&services4, key);
    __u16 port = bpf_ntohs(key->port);

    if (service) {
        if (service->flags & 8 && !in_host)
            return NULL;
        if (service->flags2 & 1) {
            key->scope = 1;
            service = bpf_map_lookup_elem(&services4, key);
        }
        return service;
    }
    if (port < node_ports_min || port > node_ports_max)
        return NULL;
    key->address = 0;
    service = bpf_map_lookup_elem(&services4, key);
    return service && service->flags & 4 ? service : NULL;
}

inline_fn int remember4(struct bpf_sock_addr *ctx, struct backend4 *backend, struct service4 *orig,
                        __u16 rev_nat)
{
    struct reverse4_key key = {.cookie = bpf_get_socket_cookie(ctx),
                               .address = backend->address,
                               .port = backend->port};
    struct reverse4 value = {.address = orig->address, .port = orig->port, .rev_nat = rev_nat};
    struct reverse4 *known = bpf_map_lookup_elem(&reverses4, &key);

    if (known && known->address == value.address && known->port == value.port &&
        known->rev_nat == value.rev_nat)
        return 0;
#if FAULT == 2
    known->port = value.port;
#endif
    return bpf_map_update_elem(&reverses4, &key, &value, 0);
}

inline_fn int translate4(struct bpf_sock_addr *ctx, __be32 *address, __be16 *port, bool udp)
{
    __u8 proto = proto_of(ctx);
    bool in_host = bpf_get_netns_cookie(ctx) == host_cookie;
    struct service4 key = {.address = *address, .port = *port, .proto = proto}, orig;
    struct affinity_key who = {};
    struct affinity *known, new = {};
    struct backend4 *backend = NULL;
    struct service *service, *slot;
    __u32 id = 0;

    if (!proto)
        return 0;
    orig = key;
    service = find4(&key, in_host);
    if (!service)
        return -1;
    if (service->count == 0 && !(service->flags2 & 2)) {
        count(1);
        return -2;
    }
    if (service->flags & 1) {
        who.cookie = bpf_get_netns_cookie(ctx);
        who.rev_nat = service->rev_nat;
        known = bpf_map_lookup_elem(&affinities, &who);
        if (known && known->used + service->timeout * 1000000000ULL > bpf_ktime_get_ns()) {
            id = known->backend;
            backend = bpf_map_lookup_elem(&backends4, &id);
            if (!backend)
                bpf_map_delete_elem(&affinities, &who);
            else
                known->used = bpf_ktime_get_ns();
        }
    }
    if (!backend) {
        __u16 count = service->count;

        key.slot = count ? bpf_get_prandom_u32() % count + 1 : 1;
        slot = bpf_map_lookup_elem(&services4, &key);
        if (!slot)
            return -3;
        id = slot->backend;
        backend = bpf_map_lookup_elem(&backends4, &id);
        if (!backend)
            return -3;
        if (service->flags & 1) {
            new.used = bpf_ktime_get_ns();
            new.backend = id;
            bpf_map_update_elem(&affinities, &who, &new, 0);
        }
    }
    if (remember4(ctx, backend, &orig, service->rev_nat) < 0) {
        count(2);
        return -4;
    }
    *address = backend->address;
    *port = backend->port;
    return 0;
}

inline_fn int back4(struct bpf_sock_addr *ctx, __be32 *address, __be16 *port)
{
    struct reverse4_key key = {.cookie = bpf_get_socket_cookie(ctx),
                               .address = *address,
                               .port = *port};
    struct reverse4 *known = bpf_map_lookup_elem(&reverses4, &key);
    struct service4 service = {};

    if (!known)
        return -1;
    service.address = known->address;
    service.port = known->port;
    service.proto = proto_of(ctx);
    if (!find4(&service, true)) {
        bpf_map_delete_elem(&reverses4, &key);
        return -2;
    }
    *address = known->address;
    *port = known->port;
    return 0;
}

SEC("cgroup/connect4")
int connect4(struct bpf_sock_addr *ctx)
{
    __be32 address = ctx->user_ip4;
    __be16 port = ctx->user_port;
    int result = translate4(ctx, &address, &port, false);

    if (result == -2 || result == -3)
        return 0;
    if (result == 0) {
        ctx->user_ip4 = address;
#if FAULT == 1
        *(__u64 *)&ctx->user_port = port;
#else
        ctx->user_port = port;
#endif
    }
    return 1;
}

SEC("cgroup/sendmsg4")
int sendmsg4(struct bpf_sock_addr *ctx)
{
    __be32 address = ctx->user_ip4;
    __be16 port = ctx->user_port;
    int result = translate4(ctx, &address, &port, true);

    if (result == -2)
        return 0;
    if (result == 0) {
        ctx->user_ip4 = address;
        ctx->user_port = port;
    }
    return 1;
}

SEC("cgroup/recvmsg4")
int recvmsg4(struct bpf_sock_addr *ctx)
{
    __be32 address = ctx->user_ip4;
    __be16 port = ctx->user_port;

    if (back4(ctx, &address, &port) == 0) {
        ctx->user_ip4 = address;
        ctx->user_port = port;
    }
    return 1;
}

SEC("cgroup/getpeername4")
int getpeername4(struct bpf_sock_addr *ctx)
{
    __be32 address = ctx->user_ip4;
    __be16 port = ctx->user_port;
    int result = back4(ctx, &address, &port);

    if (result == 0) {
        ctx->user_ip4 = address;
        ctx->user_port = port;
    }
    return FAULTY(3, result != -2, 1);
}

inline_fn struct service *find6(struct service6 *key)
{
    struct service *service = bpf_map_lookup_elem(&services6, key);
    __u16 port = bpf_ntohs(key->port);

    if (service) {
        if (service->flags2 & 1) {
            key->scope = 1;
            service = bpf_map_lookup_elem(&services6, key);
        }
        return service;
    }
    if (port < node_ports_min || port > node_ports_max)
        return NULL;
    __builtin_memset(key->address, 0, 16);
    service = bpf_map_lookup_elem(&services6, key);
    return service && service->flags & 4 ? service : NULL;
}

inline_fn void get_address(struct bpf_sock_addr *ctx, __u32 *address)
{
    address[0] = ctx->user_ip6[0];
    address[1] = ctx->user_ip6[1];
    address[2] = ctx->user_ip6[2];
    address[3] = ctx->user_ip6[3];
}

inline_fn void set_address(struct bpf_sock_addr *ctx, const __u32 *address)
{
    ctx->user_ip6[0] = address[0];
    ctx->user_ip6[1] = address[1];
    ctx->user_ip6[2] = address[2];
    ctx->user_ip6[3] = address[3];
}

inline_fn int forward6(struct bpf_sock_addr *ctx, bool udp)
{
    struct service6 key = {}, orig;
    struct service *service, *slot;
    struct backend6 *backend;
    struct reverse6_key back = {};
    struct reverse6 value = {};
    __u32 address[4], id;

    get_address(ctx, address);
    if (is_v4_in_v6(address)) {
        __be32 v4 = address[3];
        __be16 port = ctx->user_port;
        int result = translate4(ctx, &v4, &port, udp);

        if (result < 0)
            return result;
        address[3] = v4;
        set_address(ctx, address);
        ctx->user_port = port;
        return 0;
    }
    memcpy(key.address, address, 16);
    key.port = ctx->user_port;
    key.proto = proto_of(ctx);
    if (!key.proto)
        return -1;
    orig = key;
    service = find6(&key);
    if (!service)
        return -1;
    if (!service->count)
        return -2;
    key.slot = bpf_get_prandom_u32() % service->count + 1;
    slot = bpf_map_lookup_elem(&services6, &key);
    if (!slot)
        return -3;
    id = slot->backend;
    backend = bpf_map_lookup_elem(&backends6, &id);
    if (!backend)
        return -3;
    back.cookie = bpf_get_socket_cookie(ctx);
    memcpy(back.address, backend->address, 16);
    back.port = backend->port;
    memcpy(value.address, orig.address, 16);
    value.port = orig.port;
    value.rev_nat = service->rev_nat;
    if (bpf_map_update_elem(&reverses6, &back, &value, 0) < 0)
        return -4;
    set_address(ctx, backend->address);
    ctx->user_port = backend->port;
    return 0;
}

inline_fn int backward6(struct bpf_sock_addr *ctx)
{
    struct reverse6_key back = {};
    struct reverse6 *known;
    __u32 address[4];

    get_address(ctx, address);
    if (is_v4_in_v6(address)) {
        __be32 v4 = address[3];
        __be16 port = ctx->user_port;

        if (back4(ctx, &v4, &port))
            return -1;
        address[3] = v4;
        set_address(ctx, address);
        ctx->user_port = port;
        return 0;
    }
    back.cookie = bpf_get_socket_cookie(ctx);
    memcpy(back.address, address, 16);
    back.port = ctx->user_port;
    known = bpf_map_lookup_elem(&reverses6, &back);
    if (!known)
        return -1;
    set_address(ctx, known->address);
    ctx->user_port = known->port;
    return 0;
}

SEC("cgroup/connect6")
int connect6(struct bpf_sock_addr *ctx)
{
    int result = forward6(ctx, false);

    return result != -2 && result != -3;
}

SEC("cgroup/sendmsg6")
int sendmsg6(struct bpf_sock_addr *ctx)
{
    return forward6(ctx, true) != -2;
}

SEC("cgroup/recvmsg6")
int recvmsg6(struct bpf_sock_addr *ctx)
{
    backward6(ctx);
    return 1;
}

SEC("cgroup/getpeername6")
int getpeername6(struct bpf_sock_addr *ctx)
{
    backward6(ctx);
    return 1;
}

SEC("cgroup/post_bind4")
int post_bind4(struct bpf_sock *ctx)
{
    struct service4 key = {};
    __u16 port = ctx->src_port;

    if (ctx->protocol != IPPROTO_TCP && ctx->protocol != IPPROTO_UDP)
        return 1;
    if (port < node_ports_min || port > node_ports_max)
        return 1;
    key.address = ctx->src_ip4;
    key.port = bpf_htons(port);
    key.proto = ctx->protocol;
    if (bpf_map_lookup_elem(&services4, &key))
        return 0;
    return 1;
}

LICENSE("GPL");
