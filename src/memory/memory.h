/*
 * memory: who may hold how many bytes, and how much the container really has.
 *
 *   budget    a hard limit that every byte of a session is charged to, before it is allocated
 *   region    a bump allocator in chunks, each charged to a budget; freeing it is one call
 *   cgroup    limit and working set of our own container
 *   pressure  the ladder of what is done about memory that gets short
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

struct json_error_t;
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
    bool starved;     /* since its owner looked last, malloc refused what fitted here */
    struct budget *parent;
};

void budget_init(struct budget *b, size_t limit, struct budget *parent);
bool budget_charge(struct budget *b, size_t n) MUST_USE;
bool budget_fits(const struct budget *b, size_t n); /* would a charge do? Counts nothing */
void budget_return(struct budget *b, size_t n);
/* An ERR_SESSION_MEMORY that was malloc's refusal, not this budget's, becomes ERR_NOMEM. */
void budget_blame(const struct budget *b, struct err *e);

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
void region_release(struct region *r);      /* free all; the region may be used again */
size_t region_used(const struct region *r); /* of what is held: bytes given out, rounded */
/*
 * Let an empty region begin in memory of its owner's, who has charged it and frees it after the
 * region's last use; region_release() empties it and keeps it. Aligned to 16. `size` as
 * region_lent_size() says for n bytes as region_used() counts them.
 */
void region_lend(struct region *r, void *memory, size_t size);
size_t region_lent_size(size_t n);
size_t region_lent(const struct region *r); /* bytes of `held` that are lent */

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
/*
 * json_loadb() that can be refused memory: jansson itself goes on with half a token then.
 * NULL with json_error_out_of_memory in *e; what it had made in a region stays there.
 */
struct json_t *json_region_load(const char *text, size_t len, size_t flags,
                                struct json_error_t *e) MUST_USE;
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

/* How far up the ladder we are: RUNG(NAME, "label", "text") in rung.def. */
enum pressure_rung {
#define RUNG(name, label, text) PRESSURE_##name,
#include "memory/rung.def"
#undef RUNG
    PRESSURE__COUNT
};
const char *pressure_label(enum pressure_rung r);

/*
 * Pressure is use at or above threshold x limit: there REFUSE begins. SHED begins at 0.9 and
 * HIBERNATE at 0.95 of the threshold, so that both have tried before anyone is refused, and
 * UNHEALTHY half way from the threshold to the limit, or when refusing has lasted 10 s. Each
 * is left 0.05 x limit below where it was reached. So nothing flaps, and since only the newest
 * sample counts, nothing latches.
 */
struct pressure {
    double threshold; /* 0.1 .. 0.95 */
    enum pressure_rung rung;
    uint64_t times;                    /* how often REFUSE began */
    uint64_t climbed[PRESSURE__COUNT]; /* how often this rung was climbed or passed */
    int64_t since_ms;                  /* of the last change */
    int64_t refusing_since_ms;
};

void pressure_init(struct pressure *p, double threshold);
/* The rung that this use asks for; changes nothing. An unknown sample asks for NONE. */
enum pressure_rung pressure_reached(const struct pressure *p, const struct memory_sample *s);
/* Bytes to be freed before HIBERNATE is left. */
uint64_t pressure_excess(const struct pressure *p, const struct memory_sample *s);
/* Bytes in use at which a rung is reached. */
uint64_t pressure_edge(const struct pressure *p, enum pressure_rung r, uint64_t limit);
/* Go to the rung that the sample asks for, up or down. Returns true when it is another one. */
bool pressure_update(struct pressure *p, const struct memory_sample *s, int64_t now_ms);

/* notice.c: the kernel's own word that memory is getting short, between two samples */

enum memory_notice_kind {
    MEMORY_NOTICE_PSI,     /* v2: a trigger on our cgroup's memory.pressure; POLLPRI */
    MEMORY_NOTICE_EVENTFD, /* v1: usage crosses a threshold, or reclaim has a hard time; POLLIN
                            */
    MEMORY_NOTICE__COUNT
};
const char *memory_notice_text(enum memory_notice_kind k);

/*
 * A descriptor to poll, or -1 where the kernel offers none for our own cgroup (or we may not
 * write there, as in most Docker containers): then sampling has to do. Never the host's own
 * pressure, which other programs cause. `edges` are bytes of use worth a notice (v1). It only
 * says "look now": page cache counts there, and the sample leaves it out. Close with close().
 */
int memory_notice_open(const struct cgroup *cg, const uint64_t *edges, size_t count,
                       enum memory_notice_kind *ret);
/* After the descriptor was ready: make it wait for the next time. */
void memory_notice_clear(int fd, enum memory_notice_kind kind);

/* Give freed memory back to the kernel. Returns true when the allocator gave something. */
bool memory_trim(void);
