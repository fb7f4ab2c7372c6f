#include "memory/memory_int.h"

#include <jansson.h>
#include <stdlib.h>

/*
 * In front of every allocation stands whose it is, so that free finds the right allocator
 * whichever region is entered by then. 16 bytes keep the alignment.
 */
struct owned {
    struct region *owner; /* NULL: malloc */
    size_t size;          /* with this header */
};

_Static_assert(sizeof(struct owned) == 16, "the header keeps malloc's alignment");

static _Thread_local struct region *entered;

static void *json_take(size_t n)
{
    size_t size = n + sizeof(struct owned);

    if (size < n)
        return NULL;
    struct owned *o = entered ? region_resize(entered, NULL, 0, size) : malloc(size);
    if (!o)
        return NULL;
    *o = (struct owned){entered, size};
    return o + 1;
}

static void json_give(void *p)
{
    if (!p)
        return;
    struct owned *o = (struct owned *)p - 1;
    if (o->owner)
        region__give(o->owner, o, o->size);
    else
        free(o);
}

void json_region_setup(void)
{
    json_set_alloc_funcs(json_take, json_give);
}

struct region *json_region_enter(struct region *r)
{
    struct region *before = entered;

    entered = r;
    return before;
}

void json_region_leave(struct region *before)
{
    entered = before;
}

static int add(const char *data, size_t len, void *ctx)
{
    struct buf *out = ctx;

    buf_add(out, data, len);
    return out->full ? -1 : 0;
}

bool json_region_dump(const struct json_t *value, size_t flags, struct buf *out)
{
    if (!value || json_dump_callback(value, add, out, flags) < 0)
        out->full = true;
    return !out->full;
}
