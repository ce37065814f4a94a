/* No license that lets a program call all helpers: the kernel refuses one of the two. */
#include "corpus.h"

SEC("tc")
int free_helper(struct __sk_buff *skb)
{
    return bpf_skb_pull_data(skb, 0) + 1;
}

SEC("tc")
int gpl_helper(struct __sk_buff *skb)
{
    bpf_printk("%d", skb->len);
    return 1;
}

LICENSE("Proprietary");
