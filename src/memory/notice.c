/*
 * Kernel notices. v2: Documentation/accounting/psi.rst, "Monitoring for pressure thresholds";
 * v1: Documentation/admin-guide/cgroup-v1/memory.rst, sections 9 (thresholds) and 11
 * (pressure).
 */
#include "memory/memory_int.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* 200 ms of 2 s with somebody waiting for memory; who is no root may only name 2 s and more. */
#define PSI_TRIGGER "some 200000 2000000"

const char *memory_notice_text(enum memory_notice_kind k)
{
    static const char *const text[MEMORY_NOTICE__COUNT] = {
        [MEMORY_NOTICE_PSI] = "psi", [MEMORY_NOTICE_EVENTFD] = "eventfd"};

    return k < MEMORY_NOTICE__COUNT ? text[k] : "none";
}

static int open_in(const char *folder, const char *name, int flags)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof(path), "%s/%s", folder, name);

    return n > 0 && (size_t)n < sizeof(path) ? open(path, flags | O_CLOEXEC) : -1;
}

int notice__psi(const char *folder)
{
    int fd = open_in(folder, "memory.pressure", O_RDWR | O_NONBLOCK);

    /* With its NUL, as the kernel's own example has it. */
    if (fd >= 0 && write(fd, PSI_TRIGGER, sizeof(PSI_TRIGGER)) < 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

/* Ask that `event` be signalled for file `about`; the kernel keeps what it needs of both. */
static bool ask(const char *folder, int event, const char *about, const char *what)
{
    char line[80];
    int file = open_in(folder, about, O_RDONLY);
    int control = open_in(folder, "cgroup.event_control", O_WRONLY);
    int n = snprintf(line, sizeof(line), "%d %d %s", event, file, what);
    bool ok = file >= 0 && control >= 0 && write(control, line, (size_t)n) == n;

    if (file >= 0)
        close(file);
    if (control >= 0)
        close(control);
    return ok;
}

int notice__eventfd(const char *folder, const uint64_t *edges, size_t count)
{
    int event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    bool any = false;
    char number[24];

    if (event < 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        snprintf(number, sizeof(number), "%llu", (unsigned long long)edges[i]);
        any |= ask(folder, event, "memory.usage_in_bytes", number);
    }
    any |= ask(folder, event, "memory.pressure_level", "medium");
    if (any)
        return event;
    close(event);
    return -1;
}

int memory_notice_open(const struct cgroup *cg, const uint64_t *edges, size_t count,
                       enum memory_notice_kind *ret)
{
    const char *folder = cgroup_path(cg);
    const struct cgroup_place *place = cgroup__place(cg);

    if (!place->ours || !*folder)
        return -1;
    *ret = place->v2 ? MEMORY_NOTICE_PSI : MEMORY_NOTICE_EVENTFD;
    return place->v2 ? notice__psi(folder) : notice__eventfd(folder, edges, count);
}

void memory_notice_clear(int fd, enum memory_notice_kind kind)
{
    uint64_t n;

    if (kind == MEMORY_NOTICE_EVENTFD && read(fd, &n, sizeof(n)) < 0)
        return; /* cleared already */
}
