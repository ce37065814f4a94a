// A dynptr to the packet of a program that has no pointers to it.
#define SECTION "socket"
#define CONTEXT struct __sk_buff
#define FROM bpf_dynptr_from_skb
#include "packet.h"
