/* Global variables of all kinds: set, unset, constant, settable before load, in own sections. */
#include "corpus.h"

struct point {
    int x;
    int y;
    struct {
        __u8 red, green, blue;
    } colour[2];
};

enum level { QUIET = 1, LOUD = 9 };

const volatile __u32 limit = 100;
const volatile char name[16] = "a name";
const volatile struct point corners[3] = {{1, 2, {{3, 4, 5}}}, {-1, -2}, {.colour = {[1] = {9}}}};
const volatile bool enabled = true;

__u64 packets = 5;
struct point position = {.x = -7, .y = 1 << 20, .colour = {{1, 2, 3}, {4, 5, 6}}};
static volatile __s16 hidden = -3;
enum level level = LOUD;
char text[] = "changed by programs";

__u64 zeros[8];
struct point nowhere;
static __u32 last_length;

int custom SEC(".data.custom") = 42;
const volatile int of_custom SEC(".rodata.custom") = 43;
int unset SEC(".bss.custom");

SEC("xdp")
int all_sections(struct xdp_md *ctx)
{
    __u32 bytes = ctx->data_end - ctx->data, result = 0;

    packets += 1;
    zeros[bytes & 7] += bytes;
    if (enabled && bytes > limit)
        result += 1;
    result += corners[bytes & 1].colour[0].green;
    position.colour[1].blue += 1;
    result += position.x + hidden + level + text[bytes & 15] + name[bytes & 15];
    hidden -= 1;
    nowhere.y = last_length;
    last_length = bytes;
    custom += of_custom;
    unset += custom;
    return result + unset + nowhere.y + packets;
}

SEC("tc")
int same_variables(struct __sk_buff *skb)
{
    packets += 10;
    last_length = skb->len;
    return (packets + last_length) & 0xffff;
}

LICENSE("GPL");
