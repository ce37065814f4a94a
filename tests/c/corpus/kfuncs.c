/* Functions of the kernel that programs may call: ones that it has, and weak ones it lacks. */
#include "corpus.h"
#include "kernel_types.h"

struct bpf_iter_num;
extern void *bpf_cast_to_kern_ctx(void *ctx) __ksym;
extern void *bpf_rdonly_cast(const void *pointer, __u32 type) __ksym;
extern int bpf_dynptr_from_skb(struct __sk_buff *skb, __u64 flags, struct bpf_dynptr *to) __ksym;
extern void *bpf_dynptr_slice(const struct bpf_dynptr *from, __u32 offset, void *buffer,
                              __u32 size) __ksym;
extern int no_such_kfunc(int argument) __ksym __weak;
extern void bpf_rcu_read_lock(void) __ksym __weak;
extern void bpf_rcu_read_unlock(void) __ksym __weak;

SEC("tc")
int slice(struct __sk_buff *skb)
{
    struct bpf_dynptr packet;
    struct ethhdr buffer, *eth;

    if (bpf_dynptr_from_skb(skb, 0, &packet))
        return 1;
    eth = bpf_dynptr_slice(&packet, 0, &buffer, sizeof(buffer));
    if (!eth)
        return 2;
    return bpf_ntohs(eth->h_proto);
}

SEC("tc")
int weak(struct __sk_buff *skb)
{
    int result = 0;

    if (no_such_kfunc)
        result += no_such_kfunc(3);
    if (bpf_rcu_read_lock) {
        bpf_rcu_read_lock();
        result += 16;
        bpf_rcu_read_unlock();
    }
    return result + 1;
}

SEC("tc")
int cast(struct __sk_buff *skb)
{
    struct sk_buff *kernel = bpf_cast_to_kern_ctx(skb);
    unsigned int type = __builtin_btf_type_id(*(struct sk_buff *)0, 1);
    struct sk_buff *same = bpf_rdonly_cast(kernel, type);

    return kernel->len == skb->len && same->len == skb->len;
}

LICENSE("GPL");
