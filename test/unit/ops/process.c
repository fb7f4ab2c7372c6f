#include "ops/process.c"
#include "unit/tap.h"

#include <fcntl.h>

static void our_own_figures(void)
{
    struct process_figures p;

    process__read(&p);
    CHECK(p.resident > 100 * 1024);
    CHECK(p.virtual > p.resident);
    CHECK(p.cpu_seconds >= 0 && p.cpu_seconds < 3600);
    CHECK(p.max_fds >= 64);
}

static void open_files_are_counted(void)
{
    struct process_figures before, after;
    int fds[20];

    process__read(&before);
    CHECK(before.open_fds >= 3);
    for (int i = 0; i < 20; i++)
        fds[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
    process__read(&after);
    CHECK_INT(after.open_fds, before.open_fds + 20);
    for (int i = 0; i < 20; i++)
        close(fds[i]);
}

static const struct tap_case cases[] = {
    {"our own figures", our_own_figures},
    {"open files are counted", open_files_are_counted},
};

TAP_MAIN(cases)
