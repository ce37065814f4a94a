/* Data that should hold addresses, which no map can: loaders leave what stands in the file. */
#include "corpus.h"

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u64);
} counts SEC(".maps");

static volatile int numbers[4] = {1, 2, 3, 4};
volatile int visible = 5;

__attribute__((noinline)) int helper(int number)
{
    return number + visible;
}

struct entry {
    const volatile void *where;
    __u64 number;
};

struct entry entries[] = {
    {&visible, 7},
    {&numbers[2], 8},
    {&counts, 9},
    {(void *)helper, 10},
};

SEC("tc")
int read_entries(struct __sk_buff *skb)
{
    __u32 key = 0;
    __u64 *count = bpf_map_lookup_elem(&counts, &key);
    __u64 sum = helper(numbers[1]);

    if (count)
        *count += 1;
    for (int i = 0; i < 4; i++)
        sum += *(volatile __u64 *)&entries[i].number;
    return sum;
}

LICENSE("GPL");
