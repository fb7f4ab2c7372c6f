#include "ops/ops_int.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* Since Linux 6.2 the size of /proc/self/fd is the count; before, its entries tell it. */
static double open_files(void)
{
    struct stat st;
    double n = 0;

    if (stat("/proc/self/fd", &st) == 0 && st.st_size > 0)
        return (double)st.st_size;
    DIR *d = opendir("/proc/self/fd");
    if (!d)
        return 0;
    for (const struct dirent *e; (e = readdir(d));)
        n += e->d_name[0] != '.';
    closedir(d);
    return n > 0 ? n - 1 : 0; /* the folder itself was open */
}

static double seconds(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

/* size resident shared text lib data: resident less what files stand behind */
uint64_t process__own_bytes(void)
{
    unsigned long long resident = 0, shared = 0;
    FILE *f = fopen("/proc/self/statm", "re");

    if (!f)
        return 0;
    if (fscanf(f, "%*u %llu %llu", &resident, &shared) != 2 || shared > resident)
        resident = shared = 0;
    fclose(f);
    return (uint64_t)(resident - shared) * (uint64_t)sysconf(_SC_PAGESIZE);
}

void process__read(struct process_figures *ret)
{
    unsigned long long size, resident;
    struct rusage usage;
    struct rlimit files;

    *ret = (struct process_figures){.open_fds = open_files()};
    FILE *f = fopen("/proc/self/statm", "re");
    if (f) {
        if (fscanf(f, "%llu %llu", &size, &resident) == 2) {
            double page = (double)sysconf(_SC_PAGESIZE);
            ret->virtual = (double)size * page;
            ret->resident = (double)resident * page;
        }
        fclose(f);
    }
    if (getrusage(RUSAGE_SELF, &usage) == 0)
        ret->cpu_seconds = seconds(usage.ru_utime) + seconds(usage.ru_stime);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0)
        ret->max_fds = (double)files.rlim_cur; /* "unlimited" is a very large number as well */
}
