/*
 * Loads an object by libbpf, and prints its programs and maps: a witness for the tests.
 * Frames of hexadecimal digits, one a line, are read from standard input; each is handed to
 * the first program by BPF_PROG_TEST_RUN, and what that returns is printed.
 */
#include <stdio.h>
#include <string.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

static size_t decode(const char *line, unsigned char *frame, size_t room)
{
    size_t len = 0;
    unsigned int byte;

    while (len < room && sscanf(line + 2 * len, "%2x", &byte) == 1)
        frame[len++] = byte;
    return len;
}

static int run(int prog, const char *line)
{
    unsigned char frame[2048];
    LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame,
                .data_size_in = decode(line, frame, sizeof(frame)));
    int err = bpf_prog_test_run_opts(prog, &opts);

    if (err) {
        fprintf(stderr, "cannot run the program: %s\n", strerror(-err));
        return err;
    }
    printf("returns %u\n", opts.retval);
    return 0;
}

int main(int argc, char **argv)
{
    struct bpf_object *object;
    struct bpf_program *program;
    struct bpf_map *map;
    char line[8192];
    int first = -1;

    if (argc != 2) {
        fprintf(stderr, "usage: libbpf_show OBJECT\n");
        return 2;
    }
    object = bpf_object__open_file(argv[1], NULL);
    if (!object || bpf_object__load(object)) {
        fprintf(stderr, "libbpf does not load %s\n", argv[1]);
        return 1;
    }
    bpf_object__for_each_program(program, object) {
        if (first < 0)
            first = bpf_program__fd(program);
        printf("program %s in %s, type %d, %zu instructions\n", bpf_program__name(program),
               bpf_program__section_name(program), bpf_program__type(program),
               bpf_program__insn_cnt(program));
    }
    bpf_object__for_each_map(map, object)
        printf("map %s type %d key %u value %u entries %u, types %s\n", bpf_map__name(map),
               bpf_map__type(map), bpf_map__key_size(map), bpf_map__value_size(map),
               bpf_map__max_entries(map),
               bpf_map__btf_key_type_id(map) && bpf_map__btf_value_type_id(map) ? "known"
                                                                                : "unknown");
    while (fgets(line, sizeof(line), stdin))
        if (run(first, line))
            return 1;
    bpf_object__close(object);
    return 0;
}
