/*
 * Loads an object by libbpf, and prints the instructions of its programs as libbpf hands them
 * to the kernel: a witness for what CO-RE makes of them.
 */
#include <stdio.h>
#include <bpf/libbpf.h>

int main(int argc, char **argv)
{
    struct bpf_object *object;
    struct bpf_program *program;

    if (argc != 2) {
        fprintf(stderr, "usage: libbpf_core OBJECT\n");
        return 2;
    }
    object = bpf_object__open_file(argv[1], NULL);
    if (!object || bpf_object__load(object)) {
        fprintf(stderr, "libbpf does not load %s\n", argv[1]);
        return 1;
    }
    bpf_object__for_each_program(program, object) {
        const struct bpf_insn *insns = bpf_program__insns(program);

        for (size_t i = 0; i < bpf_program__insn_cnt(program); i++)
            printf("%s %zu %02x %u %u %d %d\n", bpf_program__name(program), i,
                   insns[i].code, insns[i].dst_reg, insns[i].src_reg, insns[i].off,
                   insns[i].imm);
    }
    bpf_object__close(object);
    return 0;
}
