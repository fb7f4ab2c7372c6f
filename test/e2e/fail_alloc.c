/*
 * Stands in front of malloc (LD_PRELOAD) and refuses what a test wants refused. The test and
 * this share a small file, named in FAIL_ALLOC, of 64-bit words (struct plan).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct plan {
    _Atomic uint64_t armed;   /* 0: everything is as ever, and nothing is counted */
    _Atomic uint64_t fail_at; /* the Nth allocation since `seen` was 0 fails; 0: none */
    _Atomic uint64_t onward;  /* and all after it */
    _Atomic uint64_t seen;    /* allocations asked for while armed */
    _Atomic uint64_t failed;
    _Atomic uint64_t size; /* of the last one that failed */
};

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void *__libc_memalign(size_t align, size_t n);

static struct plan *plan;

__attribute__((constructor)) static void setup(void)
{
    const char *path = getenv("FAIL_ALLOC");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *at;

    if (fd < 0)
        return;
    at = mmap(NULL, sizeof(struct plan), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (at != MAP_FAILED)
        plan = at;
}

static int refuse(size_t n)
{
    uint64_t count, fail_at;

    if (!plan || !plan->armed)
        return 0;
    count = ++plan->seen;
    fail_at = plan->fail_at;
    if (!fail_at || (plan->onward ? count < fail_at : count != fail_at))
        return 0;
    plan->failed++;
    plan->size = n;
    errno = ENOMEM;
    return 1;
}

void *malloc(size_t n)
{
    return refuse(n) ? NULL : __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
    return refuse(n * size) ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
    if (p && n == 0)
        return __libc_realloc(p, n);
    return refuse(n) ? NULL : __libc_realloc(p, n);
}

void *memalign(size_t align, size_t n)
{
    return refuse(n) ? NULL : __libc_memalign(align, n);
}

void *aligned_alloc(size_t align, size_t n)
{
    return refuse(n) ? NULL : __libc_memalign(align, n);
}

int posix_memalign(void **ret, size_t align, size_t n)
{
    void *p = refuse(n) ? NULL : __libc_memalign(align, n);

    if (!p)
        return ENOMEM;
    *ret = p;
    return 0;
}
