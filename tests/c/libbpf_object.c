/*
 * What libbpf and the kernel make of an object, as text to compare: a witness for the tests.
 *
 * Prints a line for every map, program, instruction, function and source line, with names for
 * whatever is another number in every run. All programs are loaded together; if that fails,
 * each alone. Frames of hexadecimal digits, one a line, are read from standard input; every
 * program that BPF_PROG_TEST_RUN runs gets all of them, in the order of the object. The last
 * lines are what the maps hold then.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#define MAX_FRAMES 64
#define MAX_FRAME 2048

static struct {
    unsigned char bytes[MAX_FRAME];
    size_t len;
} frames[MAX_FRAMES];
static int frame_count;

static void read_frames(void)
{
    char line[2 * MAX_FRAME + 2];
    unsigned int byte;

    for (; frame_count < MAX_FRAMES && fgets(line, sizeof(line), stdin); frame_count++) {
        size_t len = 0;

        while (len < MAX_FRAME && sscanf(line + 2 * len, "%2x", &byte) == 1)
            frames[frame_count].bytes[len++] = byte;
        frames[frame_count].len = len;
    }
}

static void print_hex(const void *from, size_t len)
{
    const unsigned char *bytes = from;

    if (!len)
        printf("-");
    while (len--)
        printf("%02x", *bytes++);
}

/* A type by what says most of it: kind, name and size. */
static void print_type(const struct btf *btf, unsigned int id)
{
    const struct btf_type *type = btf && id ? btf__type_by_id(btf, id) : NULL;

    if (type)
        printf(" %u:%s:%lld", btf_kind(type), btf__name_by_offset(btf, type->name_off),
               (long long)btf__resolve_size(btf, id));
    else
        printf(" -");
}

static void print_definition(const struct btf *btf, struct bpf_map *map)
{
    printf("type %u key %u value %u entries %u flags 0x%x extra %llu node %u",
           bpf_map__type(map), bpf_map__key_size(map), bpf_map__value_size(map),
           bpf_map__max_entries(map), bpf_map__map_flags(map),
           (unsigned long long)bpf_map__map_extra(map), bpf_map__numa_node(map));
    print_type(btf, bpf_map__btf_key_type_id(map));
    print_type(btf, bpf_map__btf_value_type_id(map));
}

/* Names that begin with the object's get a name for all objects. */
static const char *map_name(struct bpf_map *map)
{
    const char *name = bpf_map__name(map), *dot = strchr(name, '.');

    return bpf_map__is_internal(map) && dot ? dot : name;
}

static void print_maps(struct bpf_object *object)
{
    const struct btf *btf = bpf_object__btf(object);
    struct bpf_map *map, *inner;
    size_t len = 0;

    bpf_object__for_each_map(map, object) {
        const char *pin = bpf_map__pin_path(map);
        const void *initial = bpf_map__initial_value(map, &len);

        printf("map %s ", map_name(map));
        print_definition(btf, map);
        printf(" pin %s\n", pin ? strrchr(pin, '/') + 1 : "-");
        inner = bpf_map__inner_map(map);
        if (inner) {
            printf("inner %s ", map_name(map));
            print_definition(btf, inner);
            printf("\n");
        }
        /* The configuration is filled in when the object is loaded. */
        if (initial && strcmp(map_name(map), ".kconfig")) {
            printf("initial %s ", map_name(map));
            print_hex(initial, len);
            printf("\n");
        }
    }
}

static void print_programs(struct bpf_object *object)
{
    struct bpf_program *program;

    bpf_object__for_each_program(program, object)
        printf("program %s section %s type %d attach %d\n", bpf_program__name(program),
               bpf_program__section_name(program), bpf_program__type(program),
               bpf_program__expected_attach_type(program));
}

static const char *map_of_fd(struct bpf_object *object, int fd)
{
    struct bpf_map *map;

    bpf_object__for_each_map(map, object)
        if (bpf_map__fd(map) == fd)
            return map_name(map);
    return "?";
}

/*
 * The instructions that the kernel gets, with the names of maps for their descriptors. When it
 * has refused them, libbpf has closed the maps, and the name is `*`.
 */
static void print_instructions(struct bpf_object *object, struct bpf_program *program, int err)
{
    const struct bpf_insn *insns = bpf_program__insns(program);
    size_t count = bpf_program__insn_cnt(program), i;

    for (i = 0; i < count; i++) {
        struct bpf_insn insn = insns[i];
        const char *map = "";

        if (insn.code == (BPF_LD | BPF_IMM | BPF_DW) &&
            (insn.src_reg == BPF_PSEUDO_MAP_FD || insn.src_reg == BPF_PSEUDO_MAP_VALUE)) {
            map = err ? "*" : map_of_fd(object, insn.imm);
            insn.imm = 0;
        }
        printf("insn %s %zu ", bpf_program__name(program), i);
        print_hex(&insn, sizeof(insn));
        printf(" %s\n", map);
    }
}

/* Functions and source lines as the kernel knows them. */
static void print_records(const struct btf *btf, const char *name, int fd)
{
    struct bpf_prog_info info = {};
    __u32 size = sizeof(info), i;
    struct bpf_func_info *funcs;
    struct bpf_line_info *lines;

    if (!btf || bpf_obj_get_info_by_fd(fd, &info, &size))
        return;
    funcs = calloc(info.nr_func_info + 1, sizeof(*funcs));
    lines = calloc(info.nr_line_info + 1, sizeof(*lines));
    info = (struct bpf_prog_info){
        .func_info = (unsigned long)funcs,
        .nr_func_info = info.nr_func_info,
        .func_info_rec_size = sizeof(*funcs),
        .line_info = (unsigned long)lines,
        .nr_line_info = info.nr_line_info,
        .line_info_rec_size = sizeof(*lines),
    };
    size = sizeof(info);
    if (!bpf_obj_get_info_by_fd(fd, &info, &size)) {
        for (i = 0; i < info.nr_func_info; i++) {
            const struct btf_type *type = btf__type_by_id(btf, funcs[i].type_id);

            printf("function %s %u %s\n", name, funcs[i].insn_off,
                   type ? btf__name_by_offset(btf, type->name_off) : "?");
        }
        for (i = 0; i < info.nr_line_info; i++)
            printf("line %s %u %s:%u:%u %s\n", name, lines[i].insn_off,
                   btf__name_by_offset(btf, lines[i].file_name_off),
                   BPF_LINE_INFO_LINE_NUM(lines[i].line_col),
                   BPF_LINE_INFO_LINE_COL(lines[i].line_col),
                   btf__name_by_offset(btf, lines[i].line_off));
    }
    free(funcs);
    free(lines);
}

static void print_runs(const char *name, int fd)
{
    unsigned char out[MAX_FRAME + 512];
    int i;

    for (i = 0; i < frame_count; i++) {
        LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frames[i].bytes,
                    .data_size_in = frames[i].len, .data_out = out,
                    .data_size_out = sizeof(out));
        int err = bpf_prog_test_run_opts(fd, &opts);

        printf("run %s %d ", name, i);
        if (err) {
            printf("error %d\n", -err);
            continue;
        }
        printf("returns %u ", opts.retval);
        print_hex(out, opts.data_size_out);
        printf("\n");
    }
}

static void print_loaded(struct bpf_object *object, struct bpf_program *program, int err)
{
    const char *name = bpf_program__name(program);
    int fd = bpf_program__fd(program);

    printf("load %s %d\n", name, err);
    print_instructions(object, program, err);
    if (err)
        return;
    print_records(bpf_object__btf(object), name, fd);
    print_runs(name, fd);
}

/* What an element of a map of maps or of programs stands for: its name. */
static void print_reference(int type, __u32 id)
{
    struct bpf_prog_info prog = {};
    struct bpf_map_info map = {};
    __u32 size = type == BPF_MAP_TYPE_PROG_ARRAY ? sizeof(prog) : sizeof(map);
    int fd = type == BPF_MAP_TYPE_PROG_ARRAY ? bpf_prog_get_fd_by_id(id)
                                             : bpf_map_get_fd_by_id(id);
    void *info = type == BPF_MAP_TYPE_PROG_ARRAY ? (void *)&prog : (void *)&map;

    if (fd >= 0 && !bpf_obj_get_info_by_fd(fd, info, &size))
        printf("%s\n", type == BPF_MAP_TYPE_PROG_ARRAY ? prog.name : map.name);
    else
        printf("?\n");
}

/* Every element of these is always there. */
static int is_array(int type)
{
    return type == BPF_MAP_TYPE_ARRAY || type == BPF_MAP_TYPE_PERCPU_ARRAY;
}

static int is_zero(const unsigned char *bytes, size_t len)
{
    while (len && !*bytes)
        bytes++, len--;
    return !len;
}

/* Elements of arrays that are all zero are left out. */
static void print_elements(struct bpf_map *map)
{
    int type = bpf_map__type(map), fd = bpf_map__fd(map);
    static unsigned char key[4096], next[4096], value[1 << 20];
    void *before = NULL;

    if (bpf_map__key_size(map) > sizeof(key) || bpf_map__key_size(map) == 0 ||
        bpf_map__value_size(map) > sizeof(value) / 64)
        return;
    for (; !bpf_map_get_next_key(fd, before, next); before = key) {
        size_t size = bpf_map__value_size(map);

        memcpy(key, next, bpf_map__key_size(map));
        if (bpf_map_lookup_elem(fd, key, value) || (is_array(type) && is_zero(value, size)))
            continue;
        printf("element %s ", map_name(map));
        print_hex(key, bpf_map__key_size(map));
        printf(" ");
        if (type == BPF_MAP_TYPE_PROG_ARRAY || type == BPF_MAP_TYPE_ARRAY_OF_MAPS ||
            type == BPF_MAP_TYPE_HASH_OF_MAPS) {
            print_reference(type, *(__u32 *)value);
            continue;
        }
        if (type == BPF_MAP_TYPE_PERCPU_ARRAY || type == BPF_MAP_TYPE_PERCPU_HASH ||
            type == BPF_MAP_TYPE_LRU_PERCPU_HASH)
            size = (size + 7) / 8 * 8 * libbpf_num_possible_cpus();
        print_hex(value, size);
        printf("\n");
    }
}

static struct bpf_object *open_object(const char *path)
{
    struct bpf_object *object = bpf_object__open_file(path, NULL);
    struct bpf_map *map;

    if (!object)
        printf("open %d\n", -errno);
    else
        bpf_object__for_each_map(map, object)
            if (bpf_map__pin_path(map))
                bpf_map__set_pin_path(map, NULL);
    return object;
}

/* Loads the program of this number alone; -1 if there is none. */
static int load_one(const char *path, int number)
{
    struct bpf_object *object = open_object(path);
    struct bpf_program *program, *chosen = NULL;
    int i = 0, err;

    if (!object)
        return -1;
    bpf_object__for_each_program(program, object) {
        bpf_program__set_autoload(program, i == number);
        if (i++ == number)
            chosen = program;
    }
    if (!chosen)
        return -1;
    err = bpf_object__load(object);
    print_loaded(object, chosen, err);
    bpf_object__close(object);
    return 0;
}

int main(int argc, char **argv)
{
    struct bpf_object *object;
    struct bpf_program *program;
    struct bpf_map *map;
    cpu_set_t first;
    int i, err;

    if (argc != 2) {
        fprintf(stderr, "usage: libbpf_object OBJECT\n");
        return 2;
    }
    /* Values for each CPU are the same in every run. */
    CPU_ZERO(&first);
    CPU_SET(0, &first);
    sched_setaffinity(0, sizeof(first), &first);
    read_frames();
    object = bpf_object__open_file(argv[1], NULL);
    if (!object) {
        printf("open %d\n", -errno);
        return 0;
    }
    print_maps(object);
    print_programs(object);
    bpf_object__close(object);
    object = open_object(argv[1]);
    err = object ? bpf_object__load(object) : -1;
    if (err) {
        bpf_object__close(object);
        for (i = 0; !load_one(argv[1], i); i++)
            ;
        return 0;
    }
    bpf_object__for_each_program(program, object)
        print_loaded(object, program, 0);
    bpf_object__for_each_map(map, object)
        print_elements(map);
    bpf_object__close(object);
    return 0;
}
