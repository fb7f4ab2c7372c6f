#include "memory/memory_int.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#define ALIGN ((size_t)16)
#define FIRST ((size_t)1024)
#define LARGEST ((size_t)64 * 1024)
#define MALLOC_HEADER ((size_t)8)      /* what malloc keeps in front of what it gives */
#define OWN_PAGES ((size_t)128 * 1024) /* from here on malloc may map whole pages */
#define PAGE ((size_t)4096)
#define BIGGEST (SIZE_MAX / 4) /* a request above is refused, so that no sum wraps around */

struct region_chunk {
    struct region_chunk *next;
    size_t size; /* bytes of data */
    size_t used; /* a multiple of ALIGN, so it may pass size by less than that */
    size_t charged : 62;
    size_t own : 1;  /* holds one large allocation and nothing else */
    size_t lent : 1; /* lies in memory of the region's owner, and stays until that goes */
    _Alignas(16) unsigned char data[];
};

static size_t round_up(size_t n)
{
    return (n + ALIGN - 1) & ~(ALIGN - 1);
}

static void *mem_resize(struct buf_mem *mem, void *p, size_t old_size, size_t new_size)
{
    struct region *r = (struct region *)(void *)((char *)mem - offsetof(struct region, mem));

    if (new_size == 0) {
        if (p)
            region__give(r, p, old_size);
        return NULL;
    }
    return region_resize(r, p, old_size, new_size);
}

void region_init(struct region *r, struct budget *budget, size_t first)
{
    *r = (struct region){
        .mem.resize = mem_resize, .budget = budget, .first = first ? first : FIRST};
}

/*
 * The charge for `total` bytes is made before malloc is asked, from malloc's rounding rules,
 * and set right afterwards by what malloc says it gave.
 */
static size_t foresee(size_t total)
{
    if (total >= OWN_PAGES)
        return (total + 2 * MALLOC_HEADER + PAGE - 1) & ~(PAGE - 1);
    return round_up(total + MALLOC_HEADER);
}

/* Make the charge `charged` agree with what c really holds. False when that does not fit. */
static bool settle(struct region *r, struct region_chunk *c, size_t charged)
{
    size_t real = malloc_usable_size(c) + MALLOC_HEADER;

    if (real > charged && !budget_charge(r->budget, real - charged))
        return false;
    if (real < charged)
        budget_return(r->budget, charged - real);
    c->charged = real;
    r->held += real;
    return true;
}

static struct region_chunk *chunk_new(struct region *r, size_t size)
{
    size_t total = sizeof(struct region_chunk) + size;
    size_t charge = foresee(total);

    if (!budget_charge(r->budget, charge))
        return NULL;
    struct region_chunk *c = malloc(total);
    if (!c) {
        budget_return(r->budget, charge);
        r->budget->starved = true;
        return NULL;
    }
    *c = (struct region_chunk){.size = size};
    if (!settle(r, c, charge)) {
        free(c);
        budget_return(r->budget, charge);
        return NULL;
    }
    return c;
}

/* `at` is the link that leads to the chunk. */
static void chunk_free(struct region *r, struct region_chunk **at)
{
    struct region_chunk *c = *at;

    *at = c->next;
    r->held -= c->charged;
    budget_return(r->budget, c->charged);
    free(c);
}

void region_release(struct region *r)
{
    struct region_chunk **at = &r->chunks;

    while (*at) {
        if ((*at)->lent) {
            (*at)->used = 0;
            at = &(*at)->next;
        } else {
            chunk_free(r, at);
        }
    }
    MUST(r->held == (r->chunks ? r->chunks->charged : 0));
}

void region_lend(struct region *r, void *memory, size_t size)
{
    struct region_chunk *c = memory;

    MUST(!r->chunks && size > sizeof(*c) && (uintptr_t)memory % ALIGN == 0);
    *c = (struct region_chunk){.size = size - sizeof(*c), .charged = size, .lent = 1};
    r->chunks = c;
    r->held = size;
}

size_t region_used(const struct region *r)
{
    size_t n = 0;

    for (const struct region_chunk *c = r->chunks; c; c = c->next)
        n += c->used;
    return n;
}

size_t region_lent(const struct region *r)
{
    size_t n = 0;

    for (const struct region_chunk *c = r->chunks; c; c = c->next)
        n += c->lent ? c->charged : 0;
    return n;
}

size_t region_lent_size(size_t n)
{
    return sizeof(struct region_chunk) + round_up(n);
}

static size_t room(const struct region_chunk *c)
{
    return c && !c->own && c->used < c->size ? c->size - c->used : 0;
}

/* The chunk that is filled at present is the first of the list; others go behind it. */
static void chunk_link(struct region *r, struct region_chunk *c, size_t room_left)
{
    bool behind = r->chunks && (c->own || room(r->chunks) > room_left);
    struct region_chunk **at = behind ? &r->chunks->next : &r->chunks;

    c->next = *at;
    *at = c;
}

static struct region_chunk *chunk_for(struct region *r, size_t n)
{
    /* As much again as is held already doubles the region, whatever its chunks were. */
    size_t want = r->held + r->first < LARGEST ? r->held + r->first : LARGEST;
    size_t overhead = sizeof(struct region_chunk) + MALLOC_HEADER;
    size_t size = want > overhead ? want - overhead : 0;
    struct region_chunk *c;

    if (n > size) {
        c = chunk_new(r, n);
        if (c)
            c->own = 1;
    } else if (budget_fits(r->budget, foresee(sizeof(*c) + size))) {
        c = chunk_new(r, size);
    } else {
        c = NULL;
    }
    if (!c && n <= size) {
        size = n;
        c = chunk_new(r, n);
    }
    if (c)
        chunk_link(r, c, size - n < size ? size - n : 0);
    return c;
}

/* As region_alloc, not zeroed. */
static void *take(struct region *r, size_t n)
{
    struct region_chunk *c = r->chunks;

    if (n > BIGGEST)
        return NULL;
    if (n == 0)
        n = 1;
    if (room(c) < n) {
        c = chunk_for(r, n);
        if (!c)
            return NULL;
    }
    unsigned char *p = c->data + c->used;
    c->used += round_up(n);
    return p;
}

void *region_alloc(struct region *r, size_t n)
{
    void *p = take(r, n);

    if (p)
        memset(p, 0, n);
    return p;
}

void *region_dup(struct region *r, const void *data, size_t n)
{
    void *p = take(r, n);

    if (p && n)
        memcpy(p, data, n);
    return p;
}

char *region_strdup(struct region *r, const char *s)
{
    return region_dup(r, s, strlen(s) + 1);
}

char *region_strndup(struct region *r, const char *s, size_t n)
{
    size_t len = strnlen(s, n);
    char *p = take(r, len + 1);

    if (!p)
        return NULL;
    memcpy(p, s, len);
    p[len] = '\0';
    return p;
}

/*
 * The link to the chunk whose newest (or only) allocation is p; NULL when p lies deeper. A
 * small one can only be newest in the chunk filled now or the one before, and is not sought
 * further: a large JSON document frees very many.
 */
static struct region_chunk **newest(struct region *r, const void *p, size_t n)
{
    size_t span = round_up(n ? n : 1);
    size_t depth = span < r->first / 2 ? 2 : SIZE_MAX;

    for (struct region_chunk **at = &r->chunks; *at && depth; at = &(*at)->next, depth--) {
        struct region_chunk *c = *at;
        uintptr_t first = (uintptr_t)c->data, where = (uintptr_t)p;
        if (where >= first && where < first + c->size)
            return where - first + span == c->used ? at : NULL;
    }
    return NULL;
}

void region__give(struct region *r, void *p, size_t n)
{
    struct region_chunk **at = newest(r, p, n);

    if (!at)
        return;
    (*at)->used -= round_up(n ? n : 1);
    /* The chunk that is filled at present stays, lest a lone buf asks malloc again and again.
     */
    if ((*at)->used == 0 && !(*at)->lent && ((*at)->own || at != &r->chunks))
        chunk_free(r, at);
}

/* Give the only allocation of *at another size. It may move. */
static void *chunk_resize(struct region *r, struct region_chunk **at, size_t new_size)
{
    struct region_chunk *c = *at;
    size_t before = c->charged, after = foresee(sizeof(*c) + new_size);

    if (after > before && !budget_charge(r->budget, after - before))
        return NULL;
    c = realloc(c, sizeof(*c) + new_size);
    if (!c) {
        r->budget->starved = true;
        if (after > before)
            budget_return(r->budget, after - before);
        return NULL;
    }
    *at = c;
    r->held -= before;
    size_t charged = after > before ? after : before;
    if (!settle(r, c, charged)) {
        /* Pages that malloc rounded up and the budget cannot hold: count what fitted. */
        c->charged = charged;
        r->held += charged;
    }
    c->size = new_size;
    c->used = round_up(new_size);
    return c->data;
}

void *region_resize(struct region *r, void *p, size_t old_size, size_t new_size)
{
    if (!p)
        return take(r, new_size);
    if (new_size > BIGGEST)
        return NULL;
    if (new_size == 0)
        new_size = 1;
    struct region_chunk **at = newest(r, p, old_size), *c = at ? *at : NULL;
    if (c) {
        size_t where = (size_t)((unsigned char *)p - c->data);
        if (c->own)
            return chunk_resize(r, at, new_size);
        if (new_size <= c->size - where) {
            c->used = where + round_up(new_size);
            return p;
        }
    }
    if (new_size <= old_size)
        return p;
    void *to = take(r, new_size);
    if (!to)
        return NULL;
    memcpy(to, p, old_size);
    if (c)
        region__give(r, p, old_size);
    return to; /* NOLINT(clang-analyzer-unix.Malloc): `to` did not fit into the chunk of p */
}
