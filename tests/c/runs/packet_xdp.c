// A dynptr to the packet of a program of XDP.
#define SECTION "xdp"
#define CONTEXT struct xdp_md
#define FROM bpf_dynptr_from_xdp
#define WRITES
#include "packet.h"
