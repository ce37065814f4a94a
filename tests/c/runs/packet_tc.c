// A dynptr to the packet of a program that may write it.
#define SECTION "tc"
#define CONTEXT struct __sk_buff
#define FROM bpf_dynptr_from_skb
#define WRITES
#include "packet.h"
