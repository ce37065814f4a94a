// What the programs here have in common: each returns a number made of all that it saw.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define NOTE(seen, what) ((seen) = (seen) * 31 + (__u32)(what))

char _license[] SEC("license") = "GPL";
