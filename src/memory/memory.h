/*
 * memory: who may hold how many bytes, and how much the container really has.
 *
 *   budget    a hard limit that every byte of a session is charged to, before it is allocated
 *   region    a bump allocator in chunks, each charged to a budget; freeing it is one call
 *   cgroup    limit and working set of our own container
 *   pressure  the threshold with hysteresis
 *
 * Owns no session and starts no thread; time comes in as an argument. All sizes are bytes.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/must.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_t;

/* budget.c */

/*
 * A limit on bytes held at once. A charge that does not fit is refused whole and changes
 * nothing, so `used` never passes `limit`, not by one byte. A parent (the container's total)
 * is charged along; it may have limit 0, which only counts.
 */
struct budget {
    size_t limit; /* 0: no limit, count only */
    size_t used;
    size_t peak;
    uint64_t refused; /* charges that did not fit here (not: in a parent) */
    struct budget *parent;
};

void budget_init(struct budget *b, size_t limit, struct budget *parent);
bool budget_charge(struct budget *b, size_t n) MUST_USE;
bool budget_fits(const struct budget *b, size_t n); /* would a charge do? Counts nothing */
void budget_return(struct budget *b, size_t n);

/* region.c */

struct region_chunk;

/*
 * Memory with one life. Chunks grow from `first` by doubling up to 64 KiB; a larger request
 * gets a chunk of its own. What is charged is what malloc gives (malloc_usable_size plus its
 * own header), so that the sum agrees with the kernel's figure. `mem` lets a buf live here.
 */
struct region {
    struct buf_mem mem; /* for buf_init(&buf, &region->mem) */
    struct budget *budget;
    struct region_chunk *chunks;
    size_t first;
    size_t held; /* bytes charged for this region */
};

/* No allocation happens here. `first` 0 means 1 KiB. The budget must outlive the region. */
void region_init(struct region *r, struct budget *budget, size_t first);
void region_release(struct region *r); /* free all; the region may be used again */

/* Zeroed, aligned to 16. NULL when the budget (or malloc) refuses; nothing is changed then. */
void *region_alloc(struct region *r, size_t n) MUST_USE;
void *region_dup(struct region *r, const void *data, size_t n) MUST_USE;
char *region_strdup(struct region *r, const char *s) MUST_USE;
char *region_strndup(struct region *r, const char *s, size_t n) MUST_USE; /* adds the NUL */

/*
 * Grow or shrink; in place when p was the last allocation. p is untouched on NULL. What a
 * growth adds is not zeroed. What the newest allocation, or a large one, gives up is used
 * again (a large one goes back to malloc); anything else waits for region_release().
 */
void *region_resize(struct region *r, void *p, size_t old_size, size_t new_size) MUST_USE;

/*
 * jansson inside a region. Between enter and leave every JSON value made on this thread lives
 * in `r`, is charged to its budget, and dies with it; json_decref on it is harmless. Values
 * made outside stay with malloc. Enter may nest; leave restores the one before. An allocation
 * that is refused makes jansson return NULL. json_region_setup() is called once, by main,
 * before the first JSON value. From then on free() is wrong for the text of json_dumps(): use
 * json_region_dump(), which appends a value to a buf and marks it full when there is no value
 * or no room; `flags` are jansson's.
 */
void json_region_setup(void);
struct region *json_region_enter(struct region *r);
void json_region_leave(struct region *before);
bool json_region_dump(const struct json_t *value, size_t flags, struct buf *out);

/* cgroup.c */

enum memory_source {
    MEMORY_CGROUP_V2,
    MEMORY_CGROUP_V1,
    MEMORY_CONFIGURED, /* MODAL_MEMORY_MB */
    MEMORY_PHYSICAL,
    MEMORY_SOURCE__COUNT
};
const char *memory_source_text(enum memory_source s);

struct memory_sample {
    uint64_t limit; /* what this container may use; never 0 */
    uint64_t used;  /* working set: anon + kernel + shmem, no page cache */
    enum memory_source limit_from;
    enum memory_source used_from; /* a cgroup, or MEMORY_PHYSICAL for our own process's pages */
    uint64_t oom_kills;           /* of our cgroup, 0 when not told */
    bool known;                   /* false when nothing at all could be read */
};

struct cgroup;

/*
 * Find our own cgroup, and the limit that binds on the way from it up to the root (the lowest;
 * of equals the nearest): v2, v1 or hybrid. `used` is that cgroup's, since what shares the
 * limit shares the memory. `root` stands before /proc and /sys ("" outside tests). `configured`
 * is MODAL_MEMORY_MB in bytes, or 0; it is the limit when it is lower than the cgroup's, or
 * when there is none. A limit at or above physical memory is none. With no cgroup limit, `used`
 * is this process's own pages, because the cgroup we sit in may be shared with other programs.
 * Never fails: the last resort is physical memory. Free with cgroup_free.
 */
struct cgroup *cgroup_new(const char *root, uint64_t configured) MUST_USE;
void cgroup_free(struct cgroup **cg);
void cgroup_sample(struct cgroup *cg, struct memory_sample *ret); /* a few small file reads */
const char *cgroup_path(const struct cgroup *cg); /* folder read for `used`, "" when none */
/* CPU time of the container; of this process when the cgroup may be shared with others. */
uint64_t cgroup_cpu_us(struct cgroup *cg);

/* pressure.c */

/*
 * On at used >= threshold x limit; off again below (threshold - 0.05) x limit. So it does not
 * flap, and since it looks only at the newest sample it cannot latch.
 */
struct pressure {
    double threshold; /* 0.1 .. 0.95 */
    bool on;
    uint64_t times;   /* how often it went on */
    int64_t since_ms; /* of the last change */
};

void pressure_init(struct pressure *p, double threshold);
/* Returns true when it went on or off. A sample that is not known is no pressure. */
bool pressure_update(struct pressure *p, const struct memory_sample *s, int64_t now_ms);

/* Give freed memory back to the kernel. Returns true when the allocator gave something. */
bool memory_trim(void);
