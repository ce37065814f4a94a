/*
 * The least that attaching takes: loads the instructions in a file as an XDP program, attaches
 * them by a link and pins it, by system calls alone.
 */
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int bpf(int command, union bpf_attr *attr)
{
    return syscall(SYS_bpf, command, attr, sizeof(*attr));
}

int main(int argc, char **argv)
{
    char insns[4096];
    union bpf_attr attr;
    size_t len;
    FILE *file;
    int prog, link;

    if (argc != 4) {
        fprintf(stderr, "usage: raw_attach INTERFACE INSTRUCTIONS PIN\n");
        return 2;
    }
    file = fopen(argv[2], "rb");
    len = file ? fread(insns, 1, sizeof(insns), file) : 0;

    memset(&attr, 0, sizeof(attr));
    attr.prog_type = BPF_PROG_TYPE_XDP;
    attr.expected_attach_type = BPF_XDP;
    attr.insns = (unsigned long)insns;
    attr.insn_cnt = len / 8;
    attr.license = (unsigned long)"GPL";
    prog = bpf(BPF_PROG_LOAD, &attr);

    memset(&attr, 0, sizeof(attr));
    attr.link_create.prog_fd = prog;
    attr.link_create.target_ifindex = if_nametoindex(argv[1]);
    attr.link_create.attach_type = BPF_XDP;
    attr.link_create.flags = XDP_FLAGS_DRV_MODE;
    link = prog < 0 ? -1 : bpf(BPF_LINK_CREATE, &attr);

    memset(&attr, 0, sizeof(attr));
    attr.pathname = (unsigned long)argv[3];
    attr.bpf_fd = link;
    if (link < 0 || bpf(BPF_OBJ_PIN, &attr)) {
        perror("raw_attach");
        return 1;
    }
    return 0;
}
