/*
 * Loads an object by the skeleton that bpftool made of it: a witness for the tests. NAME is
 * the skeleton's name, PROGRAM one of its programs; whoever compiles defines both.
 */
#include <stdio.h>

#define JOIN(a, b) a##b
#define OF(name, what) JOIN(name, what)
#define TEXT(text) #text
#define FILE_OF(name) TEXT(name.skel.h)
#include FILE_OF(NAME)

int main(void)
{
    struct NAME *skeleton = OF(NAME, __open_and_load)();

    if (!skeleton) {
        perror("the skeleton does not load");
        return 1;
    }
    printf("%zu instructions\n", bpf_program__insn_cnt(skeleton->progs.PROGRAM));
    OF(NAME, __destroy)(skeleton);
    return 0;
}
