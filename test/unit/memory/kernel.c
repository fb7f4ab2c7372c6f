/*
 * The real thing: a child in a memory cgroup of its own, made under ours, with 96 MiB. Page
 * cache up to its limit must be no pressure, anonymous memory must be, and both must end.
 * Skipped, with the reason, where the kernel or our rights do not allow such a cgroup.
 */
#include "memory/memory_int.h"
#include "unit/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MIB ((size_t)1024 * 1024)
#define LIMIT (96 * MIB)
#define TMPFS 0x01021994

static char group[PATH_MAX];
static bool v2;

static bool put(const char *name, const char *text)
{
    char path[PATH_MAX + 64];

    snprintf(path, sizeof(path), "%s/%s", group, name);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    if (fd >= 0)
        close(fd);
    return ok;
}

/* NULL when the cgroup is ready, or why not. */
static const char *group_begin(void)
{
    struct cgroup_place p;
    char limit[32];

    place__find("", "memory", &p);
    snprintf(group, sizeof(group), "%s%s/maya-test-%d", p.found ? p.mount : "",
             p.found ? p.below : "", (int)getpid());
    v2 = p.v2;
    bool found = p.found;
    place__release(&p);
    if (!found)
        return "no memory cgroup is mounted";
    if (mkdir(group, 0755) != 0)
        return "no right to make a cgroup";
    snprintf(limit, sizeof(limit), "%zu", LIMIT);
    if (!put(v2 ? "memory.max" : "memory.limit_in_bytes", limit)) {
        rmdir(group);
        return "the new cgroup has no memory controller";
    }
    return NULL;
}

static void group_end(void)
{
    /* The kernel may need a moment to take the dead child off its list. */
    time_t end = time(NULL) + 30;
    while (rmdir(group) != 0 && errno == EBUSY && time(NULL) < end)
        sched_yield();
    CHECK(access(group, F_OK) != 0);
}

/* A file of n bytes, written and durable, so that its pages are cache and nothing else. */
static int file_of(size_t n)
{
    static char block[MIB];
    char name[] = "build/maya-cache-XXXXXX";
    struct statfs fs;
    int fd = mkstemp(name);

    if (fd < 0)
        return -1;
    unlink(name);
    if (fstatfs(fd, &fs) != 0 || fs.f_type == TMPFS) {
        close(fd);
        return -1;
    }
    for (size_t done = 0; done < n; done += sizeof(block)) {
        if (write(fd, block, sizeof(block)) != (ssize_t)sizeof(block) ||
            (done / sizeof(block) % 16 == 15 && fdatasync(fd) != 0)) {
            close(fd);
            return -1;
        }
    }
    if (fdatasync(fd) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static uint64_t charged(void)
{
    uint64_t n = 0;

    file__number("", group, v2 ? "memory.current" : "memory.usage_in_bytes", &n);
    return n;
}

static void cache_then_memory(void)
{
    struct cgroup *cg = cgroup_new("", 0);
    struct memory_sample s;
    struct pressure p;

    pressure_init(&p, 0.8);
    cgroup_sample(cg, &s);
    CHECK_STR(cgroup_path(cg), group);
    CHECK_INT(s.limit, LIMIT);
    CHECK_INT(s.limit_from, v2 ? MEMORY_CGROUP_V2 : MEMORY_CGROUP_V1);
    CHECK(!pressure_update(&p, &s, 1));

    int fd = file_of(LIMIT);
    if (fd < 0) {
        printf("# no page cache to fill here: the folder is in memory\n");
    } else {
        CHECK(charged() > LIMIT * 95 / 100);
        cgroup_sample(cg, &s);
        CHECK(s.used < LIMIT / 4);
        CHECK(!pressure_update(&p, &s, 2));
        printf("# page cache: charged %zu%%, used %zu%%\n", (size_t)charged() * 100 / LIMIT,
               (size_t)s.used * 100 / LIMIT);
    }

    enum memory_notice_kind kind;
    const uint64_t edge = pressure_edge(&p, PRESSURE_REFUSE, LIMIT);
    int notice = memory_notice_open(cg, &edge, 1, &kind);
    struct pollfd told = {.fd = notice, .events = v2 ? POLLPRI : POLLIN};
    CHECK(notice >= 0);
    CHECK_INT(kind, v2 ? MEMORY_NOTICE_PSI : MEMORY_NOTICE_EVENTFD);
    if (!v2) { /* usage has the cache in it: let go of it first, then it is crossed by memory */
        if (fd >= 0)
            CHECK(ftruncate(fd, 0) == 0);
        memory_notice_clear(notice, kind);
        CHECK_INT(poll(&told, 1, 0), 0);
    }

    size_t n = LIMIT * 82 / 100;
    char *memory = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(memory != MAP_FAILED);
    for (size_t at = 0; at < n; at += 4096)
        memory[at] = 1;
    cgroup_sample(cg, &s);
    CHECK(s.used >= n);
    CHECK(pressure_update(&p, &s, 3));
    CHECK(p.rung >= PRESSURE_REFUSE);
    if (!v2)
        CHECK_INT(poll(&told, 1, 30000), 1);
    else
        CHECK(poll(&told, 1, 0) >= 0 && !(told.revents & POLLERR));
    printf("# anonymous memory: used %zu%%\n", (size_t)s.used * 100 / LIMIT);

    munmap(memory, n);
    cgroup_sample(cg, &s);
    CHECK(pressure_update(&p, &s, 4));
    CHECK_INT(p.rung, PRESSURE_NONE);
    CHECK_INT(s.oom_kills, 0);
    close(notice);
    if (fd >= 0)
        close(fd);
    cgroup_free(&cg);
}

static void page_cache_is_no_pressure(void)
{
    const char *why = group_begin();

    if (why) {
        printf("# skipped: %s\n", why);
        return;
    }
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        CHECK(put("cgroup.procs", "0"));
        cache_then_memory();
        fflush(stdout);
        _exit(tap_failures != 0);
    }
    int status = -1;
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    CHECK_INT(status, 0);
    group_end();
}

/* Where v2 has no memory controller it tells of a cgroup's stalls all the same. */
static void a_psi_trigger_is_accepted(void)
{
    static const char *const places[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
    char folder[PATH_MAX] = "", file[PATH_MAX + 32];

    for (size_t i = 0; i < ARRAY_LEN(places) && !*folder; i++) {
        snprintf(folder, sizeof(folder), "%s/maya-test-psi-%d", places[i], (int)getpid());
        snprintf(file, sizeof(file), "%s/cgroup.controllers", places[i]);
        if (access(file, R_OK) != 0 || mkdir(folder, 0755) != 0)
            *folder = '\0';
    }
    snprintf(file, sizeof(file), "%s/memory.pressure", folder);
    if (!*folder || access(file, W_OK) != 0) {
        printf("# skipped: no cgroup v2 with pressure figures can be made here\n");
    } else {
        int fd = notice__psi(folder);
        struct pollfd told = {.fd = fd, .events = POLLPRI};
        CHECK(fd >= 0);
        CHECK_INT(poll(&told, 1, 0), 0); /* nobody waits for memory in an empty cgroup */
        close(fd);
    }
    if (*folder)
        rmdir(folder);
}

static const struct tap_case cases[] = {
    {"page cache is no pressure, memory is, and it ends", page_cache_is_no_pressure},
    {"a PSI trigger is accepted", a_psi_trigger_is_accepted},
};

TAP_MAIN(cases)
