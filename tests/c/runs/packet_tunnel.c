// A dynptr to the packet of a program that may only read it.
#define SECTION "lwt_in"
#define CONTEXT struct __sk_buff
#define FROM bpf_dynptr_from_skb
#include "packet.h"
