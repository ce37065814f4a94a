/*
 * System calls into events, as sensors of security do: a buffer for each CPU that is filled at
 * offsets that change, strings and arrays of strings read from the process, and tail calls to
 * what fills in each kind of event.
 *
 * FAULT 1: the offset in the buffer is not bounded before a string is read to it.
 * FAULT 2: the bound leaves no room for what is read.
 * FAULT 3: the number of bytes that were read is added unbounded.
 * FAULT 4: what is sent may be longer than the buffer.
 */
#include "large.h"

#define BUFFER (1 << 15)
#define HALF (BUFFER / 2)
#define ARGUMENTS 20
#define FILLERS 32
#define SLOTS 8

struct scratch {
    __u8 data[BUFFER];
};

struct header {
    __u64 ts;
    __u64 tid;
    __u32 len;
    __u16 type;
    __u16 nparams;
} __attribute__((packed));

struct tail_state {
    __u64 ts;
    __u64 args[6];
    __u32 curarg;
    __u32 off;
    __u32 len;
    __u16 type;
    __u16 prevresult;
    __s64 ret;
};

struct settings {
    __u64 boot_time;
    __u32 snaplen;
    __u8 dropping;
    __u8 capture;
    __u16 ports;
    __u64 mask[8];
};

struct raw_args {
    __u64 regs;
    __u64 id;
};

struct regs {
    __u64 r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax, ip, cs,
        flags, sp, ss;
};

struct iovec {
    __u64 base;
    __u64 len;
};

struct sockaddr4 {
    __u16 family;
    __be16 port;
    __be32 address;
};

struct sockaddr6 {
    __u16 family;
    __be16 port;
    __be32 flow;
    __u32 address[4];
};

MAP(scratches, PERCPU_ARRAY, __u32, struct scratch, 1);
MAP(states, PERCPU_ARRAY, __u32, struct tail_state, 1);
MAP(settings_map, ARRAY, __u32, struct settings, 1);
MAP(stash, LRU_HASH, __u64, struct tail_state, 65536);
MAP(lengths, PERCPU_ARRAY, __u32, __u64, 64);
PROGS(fillers, FILLERS);
EVENTS(perf);

volatile const __u32 own_pid = 0;

inline_fn struct scratch *get_scratch(void)
{
    __u32 zero = 0;

    return bpf_map_lookup_elem(&scratches, &zero);
}

inline_fn struct tail_state *get_state(void)
{
    __u32 zero = 0;

    return bpf_map_lookup_elem(&states, &zero);
}

inline_fn struct settings *get_settings(void)
{
    __u32 zero = 0;

    return bpf_map_lookup_elem(&settings_map, &zero);
}

inline_fn bool too_far(__u32 off)
{
    return FAULT != 1 && FAULT != 2 && off > HALF;
}

inline_fn __u32 bounded(__u32 off)
{
#if FAULT == 1
    return off;
#elif FAULT == 2
    return off & (BUFFER - 1);
#else
    return off & (HALF - 1);
#endif
}

/* Notes the length of a parameter at its place in the table behind the header. */
inline_fn void note_length(struct scratch *scratch, struct tail_state *state, __u16 len)
{
    __u32 at = sizeof(struct header) + (state->curarg & (SLOTS - 1)) * sizeof(__u16);

    *(__u16 *)&scratch->data[at & (HALF - 1)] = len;
    state->curarg++;
    state->len += len;
}

inline_fn int put_u64(struct tail_state *state, __u64 value)
{
    struct scratch *scratch = get_scratch();
    __u32 off = bounded(state->off);

    if (!scratch)
        return -1;
    if (too_far(state->off))
        return -2;
    *(__u64 *)&scratch->data[off] = value;
    state->off += sizeof(value);
    note_length(scratch, state, sizeof(value));
    return 0;
}

inline_fn int put_u32(struct tail_state *state, __u32 value)
{
    struct scratch *scratch = get_scratch();
    __u32 off = bounded(state->off);

    if (!scratch)
        return -1;
    if (too_far(state->off))
        return -2;
    *(__u32 *)&scratch->data[off] = value;
    state->off += sizeof(value);
    note_length(scratch, state, sizeof(value));
    return 0;
}

inline_fn int put_u16(struct tail_state *state, __u16 value)
{
    struct scratch *scratch = get_scratch();
    __u32 off = bounded(state->off);

    if (!scratch)
        return -1;
    if (too_far(state->off))
        return -2;
    *(__u16 *)&scratch->data[off] = value;
    state->off += sizeof(value);
    note_length(scratch, state, sizeof(value));
    return 0;
}

inline_fn int put_string(struct tail_state *state, __u64 user)
{
    struct scratch *scratch = get_scratch();
    long len = 0;

    if (!scratch)
        return -1;
    if (too_far(state->off))
        return -2;
    if (user) {
        len = bpf_probe_read_user_str(&scratch->data[bounded(state->off)], 4096, (void *)user);
        if (FAULT != 3 && len < 0)
            len = 0;
    }
    if (FAULT != 3 && len > 4096)
        return -2;
    state->off += len;
    note_length(scratch, state, len);
#if FAULT == 3
    scratch->data[len] = 0;
#endif
    return 0;
}

inline_fn int put_bytes(struct tail_state *state, __u64 user, __u64 len)
{
    struct scratch *scratch = get_scratch();
    struct settings *settings = get_settings();

    if (!scratch || !settings)
        return -1;
    if (too_far(state->off))
        return -2;
    if (len > settings->snaplen)
        len = settings->snaplen;
    if (len > 16384)
        len = 16384;
    if (len) {
        if (bpf_probe_read_user(&scratch->data[bounded(state->off)],
                                (len - 1 & (HALF / 2 - 1)) + 1, (void *)user))
            return -3;
    }
    state->off += len;
    note_length(scratch, state, len);
    return 0;
}

/* The strings of a NULL-terminated array, one behind the other. */
inline_fn int put_strings(struct tail_state *state, __u64 user)
{
    struct scratch *scratch = get_scratch();
    __u32 total = 0, off;
    __u64 at;
    long len;

    if (!scratch)
        return -1;
    off = state->off;
#pragma unroll
    for (int i = 0; i < ARGUMENTS; i++) {
        if (bpf_probe_read_user(&at, sizeof(at), (void *)(user + i * 8)))
            break;
        if (!at)
            break;
        if (too_far(off))
            return -2;
        len = bpf_probe_read_user_str(&scratch->data[bounded(off)], 4096, (void *)at);
        if (len < 0)
            break;
        len &= 4095;
        off += len;
        total += len;
    }
    state->off = off;
    note_length(scratch, state, total);
    return 0;
}

inline_fn int put_address(struct tail_state *state, __u64 user, __u64 len)
{
    struct scratch *scratch = get_scratch();
    union {
        __u16 family;
        struct sockaddr4 v4;
        struct sockaddr6 v6;
        __u8 bytes[28];
    } address = {};
    __u32 off, size;

    if (!scratch)
        return -1;
    if (len > sizeof(address))
        len = sizeof(address);
    if (len < 2 || bpf_probe_read_user(&address, len, (void *)user))
        return put_u16(state, 0);
    if (too_far(state->off))
        return -2;
    off = bounded(state->off);
    scratch->data[off] = address.family;
    switch (address.family) {
    case 2:
        __builtin_memcpy(&scratch->data[off + 1], &address.v4.address, 4);
        __builtin_memcpy(&scratch->data[off + 5], &address.v4.port, 2);
        size = 7;
        break;
    case 10:
        __builtin_memcpy(&scratch->data[off + 1], address.v6.address, 16);
        __builtin_memcpy(&scratch->data[off + 17], &address.v6.port, 2);
        size = 19;
        break;
    case 1:
        __builtin_memcpy(&scratch->data[off + 1], &address.bytes[2], 16);
        size = 17;
        break;
    default:
        size = 1;
    }
    state->off += size;
    note_length(scratch, state, size);
    return 0;
}

inline_fn int put_iovecs(struct tail_state *state, __u64 user, __u64 count)
{
    struct scratch *scratch = get_scratch();
    struct iovec iov[8];
    __u32 total = 0;
    __u64 size;

    if (!scratch)
        return -1;
    if (count > 8)
        count = 8;
    size = count * sizeof(struct iovec);
    if (bpf_probe_read_user(iov, size & 0xff, (void *)user))
        return put_u32(state, 0);
#pragma unroll
    for (int i = 0; i < 8; i++) {
        __u64 len;

        if (i >= count)
            break;
        len = iov[i].len;
        total += len;
        if (too_far(state->off))
            return -2;
        if (len > 4096)
            len = 4096;
        if (len == 0)
            continue;
        if (bpf_probe_read_user(&scratch->data[bounded(state->off)], (len - 1 & 4095) + 1,
                                (void *)iov[i].base))
            return -3;
        state->off += len;
    }
    note_length(scratch, state, total);
    return 0;
}

inline_fn void begin(struct scratch *scratch, struct tail_state *state, __u16 nparams)
{
    struct header *header = (void *)scratch->data;

    header->ts = state->ts;
    header->tid = bpf_get_current_pid_tgid() & 0xffffffff;
    header->type = state->type;
    header->nparams = nparams;
    state->curarg = 0;
    state->off = sizeof(*header) + SLOTS * sizeof(__u16);
    state->len = 0;
}

inline_fn int finish(void *ctx, int result)
{
    struct scratch *scratch = get_scratch();
    struct tail_state *state = get_state();
    struct header *header;
    __u64 len;
    __u32 bucket;
    __u64 *counter;

    if (!scratch || !state)
        return 0;
    state->prevresult = -result;
    bucket = result ? 32 + (-result & 15) : state->type & 31;
    counter = bpf_map_lookup_elem(&lengths, &bucket);
    if (counter)
        *counter += state->len;
    if (result)
        return 0;
    header = (void *)scratch->data;
    len = state->off;
    header->len = len;
#if FAULT == 4
    bpf_perf_event_output(ctx, &perf, BPF_F_CURRENT_CPU, scratch->data, len & (4 * BUFFER - 1));
#else
    if (len > BUFFER - 1)
        return 0;
    bpf_perf_event_output(ctx, &perf, BPF_F_CURRENT_CPU, scratch->data,
                          ((len - 1) & (BUFFER - 1)) + 1);
#endif
    return 0;
}

SEC("raw_tracepoint/sys_enter")
int sys_enter(struct bpf_raw_tracepoint_args *ctx)
{
    struct settings *settings = get_settings();
    struct tail_state *state = get_state();
    struct regs *regs = (void *)ctx->args[0];
    __u64 id = ctx->args[1], key = bpf_get_current_pid_tgid();
    __u32 word = id >> 6 & 7;

    if (!settings || !state || settings->dropping)
        return 0;
    if (own_pid && key >> 32 == own_pid)
        return 0;
    if (id >= 512)
        return 0;
    if (!(settings->mask[word] & 1ULL << (id & 63)))
        return 0;
    state->ts = settings->boot_time + bpf_ktime_get_boot_ns();
    state->type = id * 2;
    bpf_probe_read_kernel(&state->args[0], 8, &regs->di);
    bpf_probe_read_kernel(&state->args[1], 8, &regs->si);
    bpf_probe_read_kernel(&state->args[2], 8, &regs->dx);
    bpf_probe_read_kernel(&state->args[3], 8, &regs->r10);
    bpf_probe_read_kernel(&state->args[4], 8, &regs->r8);
    bpf_probe_read_kernel(&state->args[5], 8, &regs->r9);
    bpf_map_update_elem(&stash, &key, state, BPF_ANY);
    bpf_tail_call(ctx, &fillers, state->type & (FILLERS - 1));
    return 0;
}

SEC("raw_tracepoint/sys_exit")
int sys_exit(struct bpf_raw_tracepoint_args *ctx)
{
    struct tail_state *state = get_state(), *entered;
    struct settings *settings = get_settings();
    __u64 key = bpf_get_current_pid_tgid();

    if (!state || !settings || settings->dropping)
        return 0;
    entered = bpf_map_lookup_elem(&stash, &key);
    if (!entered)
        return 0;
    *state = *entered;
    bpf_map_delete_elem(&stash, &key);
    state->ret = ctx->args[1];
    state->ts = settings->boot_time + bpf_ktime_get_boot_ns();
    state->type++;
    bpf_tail_call(ctx, &fillers, state->type & (FILLERS - 1));
    return 0;
}

#define FILLER(NAME, PARAMS, ...)                                                                \
    SEC("raw_tracepoint/filler")                                                                 \
    int NAME(struct bpf_raw_tracepoint_args *ctx)                                                \
    {                                                                                            \
        struct scratch *scratch = get_scratch();                                                 \
        struct tail_state *state = get_state();                                                  \
        int result = 0;                                                                          \
                                                                                                 \
        if (!scratch || !state)                                                                  \
            return 0;                                                                            \
        begin(scratch, state, PARAMS);                                                           \
        __VA_ARGS__                                                                              \
    out:                                                                                         \
        return finish(ctx, result);                                                              \
    }

#define PUT(CALL)                                                                                \
    result = CALL;                                                                               \
    if (result)                                                                                  \
        goto out

FILLER(fill_open, 5, {
    PUT(put_u64(state, state->ret));
    PUT(put_string(state, state->args[0]));
    PUT(put_u32(state, state->args[1]));
    PUT(put_u32(state, state->args[2]));
    PUT(put_u64(state, bpf_get_current_uid_gid()));
})

FILLER(fill_execve, 7, {
    char comm[16];

    PUT(put_u64(state, state->ret));
    PUT(put_string(state, state->args[0]));
    PUT(put_strings(state, state->args[1]));
    PUT(put_strings(state, state->args[2]));
    bpf_get_current_comm(comm, sizeof(comm));
    PUT(put_u64(state, *(__u64 *)comm));
    PUT(put_u64(state, bpf_get_current_cgroup_id()));
    PUT(put_u64(state, bpf_get_current_uid_gid()));
})

FILLER(fill_write, 4, {
    PUT(put_u64(state, state->ret));
    PUT(put_u32(state, state->args[0]));
    PUT(put_bytes(state, state->args[1], state->args[2]));
    PUT(put_u32(state, state->args[2]));
})

FILLER(fill_connect, 3, {
    PUT(put_u64(state, state->ret));
    PUT(put_u32(state, state->args[0]));
    PUT(put_address(state, state->args[1], state->args[2]));
})

FILLER(fill_writev, 5, {
    PUT(put_u64(state, state->ret));
    PUT(put_u32(state, state->args[0]));
    PUT(put_iovecs(state, state->args[1], state->args[2]));
    PUT(put_u32(state, state->args[2]));
    PUT(put_u16(state, state->prevresult));
})

FILLER(fill_rename, 4, {
    PUT(put_u64(state, state->ret));
    PUT(put_string(state, state->args[0]));
    PUT(put_string(state, state->args[1]));
    PUT(put_string(state, state->args[2]));
})

LICENSE("GPL");
