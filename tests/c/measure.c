/*
 * Runs a command and prints on standard output what it took: wall and CPU time in
 * microseconds, and the most memory resident in KiB. The command's own output is thrown away.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long long microseconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

int main(int argc, char **argv)
{
    long long start = microseconds(), cpu;
    struct rusage usage;
    int status, null;
    pid_t child;

    if (argc < 2)
        return 2;
    child = vfork();
    if (child == 0) {
        null = open("/dev/null", O_WRONLY);
        dup2(null, STDOUT_FILENO);
        execvp(argv[1], argv + 1);
        _exit(127);
    }
    if (child < 0 || wait4(child, &status, 0, &usage) < 0)
        return 1;
    cpu = (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000LL + usage.ru_utime.tv_usec +
          usage.ru_stime.tv_usec;
    printf("%lld %lld %ld\n", microseconds() - start, cpu, usage.ru_maxrss);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
