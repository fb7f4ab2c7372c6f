#include "base/alloc.h"
#include "base/strs.h"
#include "memory/memory_int.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define KIB ((uint64_t)1024)

struct cgroup {
    char *root;
    uint64_t configured;
    struct cgroup_place memory, cpu;
    char path[PATH_MAX]; /* with root in front */
    struct buf text;     /* what was read last; kept, so that a sample allocates nothing */
};

static const char *const source_text[MEMORY_SOURCE__COUNT] = {
    [MEMORY_CGROUP_V2] = "cgroup v2",
    [MEMORY_CGROUP_V1] = "cgroup v1",
    [MEMORY_CONFIGURED] = "MODAL_MEMORY_MB",
    [MEMORY_PHYSICAL] = "physical memory",
};

const char *memory_source_text(enum memory_source s)
{
    MUST(s < MEMORY_SOURCE__COUNT);
    return source_text[s];
}

struct cgroup *cgroup_new(const char *root, uint64_t configured)
{
    struct cgroup *cg = xalloc(sizeof(*cg));

    cg->root = xstrdup(root);
    cg->configured = configured;
    place__find(root, "memory", &cg->memory);
    place__find(root, "cpuacct", &cg->cpu);
    struct memory_sample first;
    cgroup_sample(cg, &first); /* so that cgroup_path() is known from now on */
    return cg;
}

void cgroup_free(struct cgroup **cg)
{
    if (!*cg)
        return;
    place__release(&(*cg)->memory);
    place__release(&(*cg)->cpu);
    buf_release(&(*cg)->text);
    free((*cg)->root);
    free(*cg);
    *cg = NULL;
}

const char *cgroup_path(const struct cgroup *cg)
{
    return cg->path;
}

const struct cgroup_place *cgroup__place(const struct cgroup *cg)
{
    return &cg->memory;
}

static uint64_t physical(struct cgroup *cg)
{
    uint64_t kib;

    if (file__read(cg->root, "/proc", "meminfo", &cg->text) &&
        text__number(buf_text(&cg->text), "MemTotal", &kib) && kib && kib < UINT64_MAX / KIB)
        return kib * KIB;
    long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
    return pages > 0 && size > 0 ? (uint64_t)pages * (uint64_t)size : UINT64_MAX;
}

/* Go from our own cgroup to the mount's root: folder becomes its parent. False after the root.
 */
static bool up(char *folder, const struct cgroup_place *p)
{
    char *slash = strrchr(folder, '/');

    if (!slash || strlen(folder) <= strlen(p->mount))
        return false;
    *slash = '\0';
    return true;
}

static bool own_folder(const struct cgroup_place *p, char folder[PATH_MAX])
{
    int n = p->found ? snprintf(folder, PATH_MAX, "%s%s", p->mount, p->below) : -1;

    return n >= 0 && n < PATH_MAX;
}

/*
 * The limit that binds: the lowest on the way up, the nearest of equals, since a process is
 * charged to every cgroup above it. `where` is the folder that has it.
 */
static uint64_t lowest_limit(struct cgroup *cg, uint64_t below, char where[PATH_MAX])
{
    const struct cgroup_place *p = &cg->memory;
    char folder[PATH_MAX];
    uint64_t best = below, n;

    if (!own_folder(p, folder))
        return best;
    const char *name = p->v2 ? "memory.max" : "memory.limit_in_bytes";
    do {
        if (file__number(cg->root, folder, name, &n) && n > 0 && n < best) {
            best = n;
            str_copy(where, PATH_MAX, folder);
        }
        /* What v1 says here includes limits above the mount, which a container cannot see. */
        if (!p->v2 && strcmp(folder, p->mount) == 0 &&
            file__read(cg->root, folder, "memory.stat", &cg->text) &&
            text__number(buf_text(&cg->text), "hierarchical_memory_limit", &n) && n > 0 &&
            n < best) {
            best = n;
            str_copy(where, PATH_MAX, folder);
        }
    } while (up(folder, p));
    return best;
}

/* Sum of those keys that are there; `ret` is added to. Returns how many were. */
static unsigned sum(const char *text, const char *const *keys, unsigned count, uint64_t *ret)
{
    unsigned found = 0;
    uint64_t n;

    for (unsigned i = 0; i < count; i++) {
        if (text__number(text, keys[i], &n)) {
            *ret += n;
            found++;
        }
    }
    return found;
}

/* Kernel memory counts, but not the part of it that the kernel gives up when asked. */
static bool used_v2(struct cgroup *cg, const char *folder, uint64_t *ret)
{
    static const char *const always[] = {"anon", "shmem", "sock"};
    static const char *const parts[] = {"kernel_stack", "pagetables", "percpu",
                                        "slab_unreclaimable"};
    uint64_t kernel, reclaimable = 0;

    if (!file__read(cg->root, folder, "memory.stat", &cg->text))
        return false;
    const char *text = buf_text(&cg->text);
    *ret = 0;
    if (!text__number(text, "anon", &kernel))
        return false;
    sum(text, always, ARRAY_LEN(always), ret);
    if (text__number(text, "kernel", &kernel)) {
        text__number(text, "slab_reclaimable", &reclaimable);
        *ret += kernel > reclaimable ? kernel - reclaimable : 0;
    } else {
        sum(text, parts, ARRAY_LEN(parts), ret);
    }
    return true;
}

/* total_rss is anonymous memory only; shared memory stands in total_shmem (and in cache). */
static bool used_v1(struct cgroup *cg, const char *folder, uint64_t *ret)
{
    static const char *const total[] = {"total_rss", "total_shmem"};
    static const char *const own[] = {"rss", "shmem"};
    uint64_t kernel;

    if (!file__read(cg->root, folder, "memory.stat", &cg->text))
        return false;
    const char *text = buf_text(&cg->text);
    *ret = 0;
    if (!text__number(text, total[0], &kernel) && !text__number(text, own[0], &kernel))
        return false;
    if (sum(text, total, ARRAY_LEN(total), ret) == 0)
        sum(text, own, ARRAY_LEN(own), ret);
    if (file__number(cg->root, folder, "memory.kmem.usage_in_bytes", &kernel))
        *ret += kernel;
    return true;
}

static bool used_own_pages(struct cgroup *cg, uint64_t *ret)
{
    static const char *const pages[] = {"RssAnon", "RssShmem", "VmPTE"};
    static const char *const resident[] = {"VmRSS"};
    uint64_t kib = 0;

    if (!file__read(cg->root, "/proc/self", "status", &cg->text))
        return false;
    const char *text = buf_text(&cg->text);
    if (text__number(text, pages[0], &kib)) {
        kib = 0;
        sum(text, pages, ARRAY_LEN(pages), &kib);
    } else if (sum(text, resident, 1, &kib) == 0) {
        return false;
    }
    *ret = kib * KIB;
    return true;
}

static uint64_t oom_kills(struct cgroup *cg)
{
    char folder[PATH_MAX];
    uint64_t n;

    if (!own_folder(&cg->memory, folder))
        return 0;
    do {
        const char *name = cg->memory.v2 ? "memory.events" : "memory.oom_control";
        if (file__read(cg->root, folder, name, &cg->text))
            return text__number(buf_text(&cg->text), "oom_kill", &n) ? n : 0;
    } while (up(folder, &cg->memory));
    return 0;
}

void cgroup_sample(struct cgroup *cg, struct memory_sample *ret)
{
    char where[PATH_MAX] = "";
    uint64_t most = physical(cg);
    const struct cgroup_place *p = &cg->memory;

    *ret = (struct memory_sample){.limit_from = MEMORY_PHYSICAL, .used_from = MEMORY_PHYSICAL};
    ret->limit = lowest_limit(cg, most, where);
    if (*where) {
        ret->limit_from = p->v2 ? MEMORY_CGROUP_V2 : MEMORY_CGROUP_V1;
        if (p->v2 ? used_v2(cg, where, &ret->used) : used_v1(cg, where, &ret->used)) {
            ret->used_from = ret->limit_from;
            ret->known = true;
        }
    }
    if (cg->configured && cg->configured < ret->limit) {
        ret->limit = cg->configured;
        ret->limit_from = MEMORY_CONFIGURED;
    }
    if (!ret->known) {
        *where = '\0';
        ret->known = used_own_pages(cg, &ret->used);
    }
    cg->path[0] = '\0';
    if (*where && (size_t)snprintf(cg->path, PATH_MAX, "%s%s", cg->root, where) >= PATH_MAX)
        cg->path[0] = '\0';
    ret->oom_kills = oom_kills(cg);
}

uint64_t cgroup_cpu_us(struct cgroup *cg)
{
    char folder[PATH_MAX];
    uint64_t n;
    struct rusage self;

    if (cg->cpu.ours && *cg->path && own_folder(&cg->cpu, folder)) {
        if (!cg->cpu.v2 && file__number(cg->root, folder, "cpuacct.usage", &n))
            return n / 1000;
        if (cg->cpu.v2 && file__read(cg->root, folder, "cpu.stat", &cg->text) &&
            text__number(buf_text(&cg->text), "usage_usec", &n))
            return n;
    }
    if (getrusage(RUSAGE_SELF, &self) != 0)
        return 0;
    return (uint64_t)(self.ru_utime.tv_sec + self.ru_stime.tv_sec) * 1000000 +
           (uint64_t)(self.ru_utime.tv_usec + self.ru_stime.tv_usec);
}
