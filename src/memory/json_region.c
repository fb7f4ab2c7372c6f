#include "memory/memory_int.h"

#include "base/list.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdlib.h>

/*
 * In front of every allocation stands whose it is, so that free finds the right allocator
 * whichever region is entered by then. 16 bytes keep the alignment.
 */
struct owned {
    struct region *owner; /* NULL: malloc, and this is inside a struct loose */
    size_t size;          /* with this header */
};

_Static_assert(sizeof(struct owned) == 16, "the header keeps malloc's alignment");

struct loose {
    struct list link; /* in `outside`, in the order they were made */
    struct owned owned;
};

/* A text being read. */
struct load {
    jmp_buf refused;
    struct list mark; /* in `outside`: what is behind it was made by this load */
};

static _Thread_local struct region *entered;
static _Thread_local struct load *loading;
static _Thread_local struct list outside;

static struct list *all_loose(void)
{
    if (!outside.next)
        list_init(&outside);
    return &outside;
}

static struct owned *loose_new(size_t n)
{
    struct loose *l = malloc(n + sizeof(*l));

    if (!l)
        return NULL;
    list_append(all_loose(), &l->link);
    return &l->owned;
}

static void *json_take(size_t n)
{
    size_t size = n + sizeof(struct owned);
    struct owned *o = NULL;

    if (n < SIZE_MAX - sizeof(struct loose))
        o = entered ? region_resize(entered, NULL, 0, size) : loose_new(n);
    if (!o && loading)
        longjmp(loading->refused, 1);
    if (!o)
        return NULL;
    *o = (struct owned){entered, size};
    return o + 1;
}

static void loose_free(struct loose *l)
{
    list_remove(&l->link);
    free(l);
}

static void json_give(void *p)
{
    if (!p)
        return;
    struct owned *o = (struct owned *)p - 1;
    if (o->owner) {
        region__give(o->owner, o, o->size);
        return;
    }
    loose_free(LIST_ITEM(o, struct loose, owned));
}

/* Everything behind the mark goes, and the mark. */
static void undo(struct load *l)
{
    while (l->mark.next != &outside)
        loose_free(LIST_ITEM(l->mark.next, struct loose, link));
    list_remove(&l->mark);
}

struct json_t *json_region_load(const char *text, size_t len, size_t flags,
                                struct json_error_t *e)
{
    struct load l;
    json_t *root;

    MUST(!loading);
    list_append(all_loose(), &l.mark);
    if (setjmp(l.refused)) {
        loading = NULL;
        undo(&l);
        *e = (json_error_t){.line = -1, .column = -1, .source = "<buffer>"};
        e->text[sizeof(e->text) - 1] = (char)json_error_out_of_memory;
        return NULL;
    }
    loading = &l;
    root = json_loadb(text, len, flags, e);
    loading = NULL;
    list_remove(&l.mark);
    return root;
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
