/*
 * Opens an object by libbpf as often as told, and prints each time what it took, in
 * nanoseconds. What was opened before is closed first, which is not measured.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <bpf/libbpf.h>

static long long nanoseconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

int main(int argc, char **argv)
{
    struct bpf_object *object;
    long long start, end;
    int times;

    if (argc != 3) {
        fprintf(stderr, "usage: libbpf_open OBJECT TIMES\n");
        return 2;
    }
    for (times = atoi(argv[2]); times > 0; times--) {
        start = nanoseconds();
        object = bpf_object__open_file(argv[1], NULL);
        end = nanoseconds();
        if (!object)
            return 1;
        bpf_object__close(object);
        printf("%lld\n", end - start);
    }
    return 0;
}
