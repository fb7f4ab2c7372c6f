#include "store/store.h"

#include "base/alloc.h"
#include "store/store_int.h"

#include <stdlib.h>
#include <string.h>

int store__new(const struct store_ops *ops, void *self, const struct store_cfg *cfg,
               uint64_t rows, struct store **ret, struct err *e)
{
    struct store *s = xalloc(sizeof(*s));

    s->ops = ops;
    s->self = self;
    s->cfg = *cfg;
    s->cfg.path = NULL; /* the caller's */
    s->stats.rows = rows;
    s->stats.healthy = true;
    list_init(&s->answering);
    if (store__queue_start(s, e) < 0) {
        store__queue_release(s);
        ops->close(self);
        free(s);
        return -1;
    }
    *ret = s;
    return 0;
}

void store_get(struct store *s, const char *id, store_get_fn *fn, void *ctx)
{
    store_get_newer(s, id, 0, fn, ctx);
}

void store_get_newer(struct store *s, const char *id, uint64_t version, store_get_fn *fn,
                     void *ctx)
{
    s->stats.gets++;
    if (s->ops->get(s->self, id, version, fn, ctx) < 0)
        s->stats.failures++;
}

uint64_t store_rows(struct store *s)
{
    if (s->ops->rows(s->self, &s->stats.rows) < 0)
        s->stats.failures++;
    return s->stats.rows;
}

int store_scan(struct store *s, uint64_t *cursor, unsigned max, store_scan_fn *fn, void *ctx,
               struct err *e)
{
    if (s->ops->scan(s->self, cursor, max, fn, ctx, e) == 0)
        return 0;
    s->stats.failures++;
    return -1;
}

bool store_changed(struct store *s)
{
    return s->ops->changed(s->self);
}

int store_recent(struct store *s, struct store_place *place, unsigned max, store_scan_fn *fn,
                 void *ctx, bool *ret_more, struct err *e)
{
    if (s->ops->recent(s->self, place, max, fn, ctx, ret_more, e) == 0)
        return 0;
    s->stats.failures++;
    return -1;
}

/* One block: the write, its id and a copy of the data. NULL when there is no memory for it. */
static struct store_write *new_write(enum store_write_kind kind, const char *id,
                                     const void *data, size_t len, void *ctx, struct err *e)
{
    size_t id_size = strlen(id) + 1;
    struct store_write *w = NULL;
    char *rest;

    if (len <= SIZE_MAX / 2)
        w = malloc(sizeof(*w) + id_size + len);
    if (!w) {
        err_set(e, ERR_NOMEM, 0, "no memory to copy a row of %zu bytes; try again", len);
        return NULL;
    }
    *w = (struct store_write){.kind = kind};
    rest = (char *)(w + 1);
    memcpy(rest, id, id_size);
    if (len)
        memcpy(rest + id_size, data, len);
    list_init(&w->link);
    w->id = rest;
    w->data = rest + id_size;
    w->len = len;
    w->ctx = ctx;
    return w;
}

static void queue(struct store *s, struct store_write *w)
{
    s->stats.queued++;
    s->stats.queued_bytes += w->len;
    store__queue_add(s, w);
}

int store_put(struct store *s, const char *id, uint64_t replaces, int64_t used_at_s,
              const void *data, size_t len, store_done_fn *fn, void *ctx, struct err *e)
{
    struct store_write *w = new_write(STORE_PUT, id, data, len, ctx, e);

    if (!w)
        return -1;
    w->replaces = replaces;
    w->used_at_s = used_at_s;
    w->on_done = fn;
    s->stats.puts++;
    queue(s, w);
    return 0;
}

int store_replace(struct store *s, const char *id, uint64_t version, int64_t used_at_s,
                  const void *data, size_t len, store_done_fn *fn, void *ctx, struct err *e)
{
    struct store_write *w = new_write(STORE_REPLACE, id, data, len, ctx, e);

    if (!w)
        return -1;
    w->replaces = version;
    w->used_at_s = used_at_s;
    w->on_done = fn;
    s->stats.replaces++;
    queue(s, w);
    return 0;
}

int store_delete(struct store *s, const char *id, uint64_t version, store_done_fn *fn,
                 void *ctx, struct err *e)
{
    struct store_write *w = new_write(STORE_DELETE, id, NULL, 0, ctx, e);

    if (!w)
        return -1;
    w->replaces = version;
    w->on_done = fn;
    s->stats.deletes++;
    queue(s, w);
    return 0;
}

int store_expire(struct store *s, int64_t before_s, unsigned max, store_expired_fn *fn,
                 void *ctx, struct err *e)
{
    struct store_write *w = new_write(STORE_EXPIRE, "", NULL, 0, ctx, e);

    if (!w)
        return -1;
    w->used_at_s = before_s;
    w->max = max;
    w->on_expired = fn;
    queue(s, w);
    return 0;
}

static void answer_write(struct store *s, struct store_write *w)
{
    const struct err *e = w->err.code ? &w->err : NULL;

    s->stats.queued--;
    s->stats.queued_bytes -= w->len;
    if (w->count) { /* what the transaction as a whole has to tell */
        s->stats.commits++;
        if (s->cfg.on_commit)
            s->cfg.on_commit(s->cfg.commit_ctx, w->us, w->count);
    }
    if (e && e->code == ERR_CONFLICT)
        s->stats.conflicts++;
    else if (e)
        s->stats.failures++;
    else if (w->kind == STORE_PUT || (w->kind == STORE_REPLACE && w->result))
        s->stats.bytes_written += w->len;
    else if (w->kind == STORE_EXPIRE)
        s->stats.expired += w->result;
    if (w->on_expired)
        w->on_expired(w->ctx, w->result, e);
    else if (w->on_done)
        w->on_done(w->ctx, w->result, e);
    free(w);
}

/* A callback may reap again: that goes on where this one is, so the order holds. */
void store_reap(struct store *s)
{
    store__queue_reap(s);
    while (!list_empty(&s->answering)) {
        struct store_write *w = LIST_ITEM(list_first(&s->answering), struct store_write, link);
        list_remove(&w->link);
        answer_write(s, w);
    }
}

void store_close(struct store **s)
{
    if (!*s)
        return;
    store__queue_stop(*s);
    store_reap(*s);
    store__queue_release(*s);
    (*s)->ops->close((*s)->self);
    free(*s);
    *s = NULL;
}

void store_stats(const struct store *s, struct store_stats *ret)
{
    *ret = s->stats;
    ret->memory = s->ops->memory(s->self);
}

void store_shed(struct store *s)
{
    s->ops->shed(s->self);
}
