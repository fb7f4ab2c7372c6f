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
    s->stats.gets++;
    if (s->ops->get(s->self, id, fn, ctx) < 0)
        s->stats.failures++;
}

int store_scan(struct store *s, uint64_t *cursor, unsigned max, store_scan_fn *fn, void *ctx,
               struct err *e)
{
    if (s->ops->scan(s->self, cursor, max, fn, ctx, e) == 0)
        return 0;
    s->stats.failures++;
    return -1;
}

static struct store_write *new_write(struct store *s, enum store_write_kind kind,
                                     const char *id, const void *data, size_t len, void *ctx)
{
    size_t id_size = strlen(id) + 1;
    struct store_write *w = NULL;
    char *rest;

    /* A refused copy is an ordinary answer; a few hundred bytes refused is the end. */
    if (len <= SIZE_MAX / 2)
        w = malloc(sizeof(*w) + id_size + len);
    if (!w) {
        w = xalloc(sizeof(*w) + id_size);
        *w = (struct store_write){.kind = kind};
        err_set(&w->err, ERR_NOMEM, 0, "no memory to copy a row of %zu bytes", len);
        len = 0;
    } else {
        *w = (struct store_write){.kind = kind};
    }
    rest = (char *)(w + 1);
    memcpy(rest, id, id_size);
    if (len)
        memcpy(rest + id_size, data, len);
    list_init(&w->link);
    w->id = rest;
    w->data = rest + id_size;
    w->len = len;
    w->ctx = ctx;
    s->stats.queued++;
    s->stats.queued_bytes += w->len;
    return w;
}

void store_put(struct store *s, const char *id, uint64_t replaces, int64_t used_at_s,
               const void *data, size_t len, store_done_fn *fn, void *ctx)
{
    struct store_write *w = new_write(s, STORE_PUT, id, data, len, ctx);

    w->replaces = replaces;
    w->used_at_s = used_at_s;
    w->on_done = fn;
    s->stats.puts++;
    store__queue_add(s, w);
}

void store_replace(struct store *s, const char *id, uint64_t version, int64_t used_at_s,
                   const void *data, size_t len, store_done_fn *fn, void *ctx)
{
    struct store_write *w = new_write(s, STORE_REPLACE, id, data, len, ctx);

    w->replaces = version;
    w->used_at_s = used_at_s;
    w->on_done = fn;
    s->stats.replaces++;
    store__queue_add(s, w);
}

void store_delete(struct store *s, const char *id, store_done_fn *fn, void *ctx)
{
    struct store_write *w = new_write(s, STORE_DELETE, id, NULL, 0, ctx);

    w->on_done = fn;
    s->stats.deletes++;
    store__queue_add(s, w);
}

void store_expire(struct store *s, int64_t before_s, unsigned max, store_expired_fn *fn,
                  void *ctx)
{
    struct store_write *w = new_write(s, STORE_EXPIRE, "", NULL, 0, ctx);

    w->used_at_s = before_s;
    w->max = max;
    w->on_expired = fn;
    store__queue_add(s, w);
}

static void answer_write(struct store *s, struct store_write *w)
{
    const struct err *e = w->err.code ? &w->err : NULL;

    s->stats.queued--;
    s->stats.queued_bytes -= w->len;
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

/* What the transaction as a whole has to tell, once. */
static void answer_batch(struct store *s, struct store_batch *b)
{
    b->told = true;
    s->stats.healthy = b->worked;
    if (!b->worked)
        return;
    s->stats.rows = b->rows;
    if (!b->count)
        return;
    s->stats.commits++;
    if (s->cfg.on_commit)
        s->cfg.on_commit(s->cfg.commit_ctx, b->us, b->count);
}

/* A callback may reap again: that goes on where this one is, so the order holds. */
static void answer(struct store *s)
{
    while (!list_empty(&s->answering)) {
        struct store_batch *b = LIST_ITEM(list_first(&s->answering), struct store_batch, link);
        if (!b->told) {
            answer_batch(s, b);
        } else if (!list_empty(&b->writes)) {
            struct store_write *w = LIST_ITEM(list_first(&b->writes), struct store_write, link);
            list_remove(&w->link);
            answer_write(s, w);
        } else {
            list_remove(&b->link);
            free(b);
        }
    }
}

void store_reap(struct store *s)
{
    store__queue_reap(s, &s->answering);
    answer(s);
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
