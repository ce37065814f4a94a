/*
 * What an ordinary loader in C does: loads an object by libbpf, attaches its first program to
 * an interface by a link and pins that.
 */
#include <net/if.h>
#include <stdio.h>
#include <bpf/libbpf.h>

int main(int argc, char **argv)
{
    struct bpf_object *object;
    struct bpf_link *link;

    if (argc != 4) {
        fprintf(stderr, "usage: libbpf_attach INTERFACE OBJECT PIN\n");
        return 2;
    }
    object = bpf_object__open_file(argv[2], NULL);
    if (!object || bpf_object__load(object)) {
        fprintf(stderr, "libbpf does not load %s\n", argv[2]);
        return 1;
    }
    link = bpf_program__attach_xdp(bpf_object__next_program(object, NULL),
                                   if_nametoindex(argv[1]));
    if (!link || bpf_link__pin(link, argv[3])) {
        fprintf(stderr, "libbpf does not attach to %s\n", argv[1]);
        return 1;
    }
    bpf_link__destroy(link);
    bpf_object__close(object);
    return 0;
}
