/*
 * A store in memory with the real one's rules and no thread: writes wait in a queue until
 * fake_reap(), reads answer at once (or wait too, when told). It can be told to fail.
 */
#pragma once

#include "store/store.h"

#include <stdlib.h>
#include <string.h>

#define FAKE_ROWS 256

struct fake_row {
    char id[160];
    uint64_t version;
    int64_t used_s;
    void *data;
    size_t len;
};

struct fake_write {
    int kind; /* 'p' put, 'r' replace, 'd' delete, 'e' expire, 'g' a get that was held back */
    char id[160];
    uint64_t replaces;
    int64_t used_s;
    void *data;
    size_t len;
    store_done_fn *done;
    store_get_fn *got;
    store_expired_fn *expired;
    void *ctx;
};

static struct {
    struct fake_row rows[FAKE_ROWS];
    struct fake_write queue[FAKE_ROWS];
    unsigned queued;
    bool hold_gets, refuse_writes;
    enum err_code fail_puts, fail_gets;
    unsigned damaged_at, damaged_to; /* places that a scan cannot read; none: both 0 */
    unsigned gets, puts;
    bool changed; /* what store_changed() says next */
} fake;

static struct fake_row *fake_find(const char *id)
{
    for (int i = 0; i < FAKE_ROWS; i++)
        if (fake.rows[i].version && strcmp(fake.rows[i].id, id) == 0)
            return &fake.rows[i];
    return NULL;
}

static struct fake_row *fake_add(const char *id)
{
    for (int i = 0; i < FAKE_ROWS; i++) {
        if (!fake.rows[i].version) {
            str_copy(fake.rows[i].id, sizeof(fake.rows[i].id), id);
            return &fake.rows[i];
        }
    }
    abort();
}

static void fake_drop(struct fake_row *r)
{
    free(r->data);
    *r = (struct fake_row){0};
}

static void fake_answer_get(const char *id, uint64_t known, store_get_fn *fn, void *ctx)
{
    struct fake_row *r = fake_find(id);
    struct err e;

    if (fake.fail_gets) {
        err_set(&e, fake.fail_gets, 0, "told to fail");
        fn(ctx, NULL, &e);
    } else if (r) {
        struct store_row row = {r->version, r->used_s, r->data, r->len};
        if (r->version == known)
            row.data = NULL;
        fn(ctx, &row, NULL);
    } else {
        fn(ctx, NULL, NULL);
    }
}

static struct fake_write *fake_queue(int kind, const char *id)
{
    struct fake_write *w = &fake.queue[fake.queued++];

    *w = (struct fake_write){.kind = kind};
    str_copy(w->id, sizeof(w->id), id);
    return w;
}

void store_get(struct store *s, const char *id, store_get_fn *fn, void *ctx)
{
    fake.gets++;
    store_get_newer(s, id, 0, fn, ctx);
}

/* Not counted: only reading is. */
void store_get_newer(struct store *s, const char *id, uint64_t version, store_get_fn *fn,
                     void *ctx)
{
    (void)s;
    if (!fake.hold_gets) {
        fake_answer_get(id, version, fn, ctx);
        return;
    }
    struct fake_write *w = fake_queue('g', id);
    w->replaces = version;
    w->got = fn;
    w->ctx = ctx;
}

/* Whether this write is refused for want of memory, as told. */
static bool fake_refuse(struct err *e)
{
    if (fake.refuse_writes)
        err_set(e, ERR_NOMEM, 0, "told to refuse");
    return fake.refuse_writes;
}

int store_put(struct store *s, const char *id, uint64_t replaces, int64_t used_s,
              const void *data, size_t len, store_done_fn *fn, void *ctx, struct err *e)
{
    (void)s;
    if (fake_refuse(e))
        return -1;
    struct fake_write *w = fake_queue('p', id);
    fake.puts++;
    w->replaces = replaces;
    w->used_s = used_s;
    w->data = memcpy(malloc(len), data, len);
    w->len = len;
    w->done = fn;
    w->ctx = ctx;
    return 0;
}

int store_replace(struct store *s, const char *id, uint64_t version, int64_t used_s,
                  const void *data, size_t len, store_done_fn *fn, void *ctx, struct err *e)
{
    (void)s;
    if (fake_refuse(e))
        return -1;
    struct fake_write *w = fake_queue('r', id);
    w->replaces = version;
    w->used_s = used_s;
    w->data = len ? memcpy(malloc(len), data, len) : NULL;
    w->len = len;
    w->done = fn;
    w->ctx = ctx;
    return 0;
}

/* The cursor is the next place. */
int store_scan(struct store *s, uint64_t *cursor, unsigned max, store_scan_fn *fn, void *ctx,
               struct err *e)
{
    uint64_t at = *cursor;
    bool more = true;

    (void)s;
    if (fake.fail_gets)
        return err_set(e, fake.fail_gets, 0, "told to fail");
    for (; (at < FAKE_ROWS || at < fake.damaged_to) && more && max; at++) {
        if (at >= fake.damaged_at && at < fake.damaged_to) {
            *cursor = at + 1;
            return err_set(e, ERR_CORRUPT, 0, "told to be damaged");
        }
        const struct fake_row *r = &fake.rows[at];
        if (!r->version)
            continue;
        const struct store_row row = {r->version, r->used_s, r->data, r->len};
        more = fn(ctx, r->id, &row);
        max--;
    }
    *cursor = at >= FAKE_ROWS ? 0 : at;
    return 0;
}

bool store_changed(struct store *s)
{
    bool yes = fake.changed;

    (void)s;
    fake.changed = false;
    return yes;
}

static bool fake_behind(const struct store_place *p, int64_t used_s, uint64_t row)
{
    return used_s != p->used_at_s ? used_s > p->used_at_s : row > p->row;
}

/* The row that comes next behind this place; FAKE_ROWS: none. */
static uint64_t fake_next(const struct store_place *place)
{
    uint64_t best = FAKE_ROWS;

    for (uint64_t i = 0; i < FAKE_ROWS; i++)
        if (fake.rows[i].version && fake_behind(place, fake.rows[i].used_s, i + 1) &&
            (best == FAKE_ROWS || fake.rows[i].used_s < fake.rows[best].used_s))
            best = i;
    return best;
}

int store_recent(struct store *s, struct store_place *place, unsigned max, store_scan_fn *fn,
                 void *ctx, bool *ret_more, struct err *e)
{
    bool more = true;
    uint64_t i = 0;

    (void)s;
    if (fake.fail_gets)
        return err_set(e, fake.fail_gets, 0, "told to fail");
    for (; more && max && (i = fake_next(place)) < FAKE_ROWS; max--) {
        const struct store_row row = {fake.rows[i].version, fake.rows[i].used_s, NULL, 0};
        *place = (struct store_place){row.used_at_s, i + 1};
        more = fn(ctx, fake.rows[i].id, &row);
    }
    *ret_more = i < FAKE_ROWS;
    return 0;
}

int store_delete(struct store *s, const char *id, uint64_t version, store_done_fn *fn,
                 void *ctx, struct err *e)
{
    (void)s;
    if (fake_refuse(e))
        return -1;
    struct fake_write *w = fake_queue('d', id);
    w->replaces = version;
    w->done = fn;
    w->ctx = ctx;
    return 0;
}

int store_expire(struct store *s, int64_t before_s, unsigned max, store_expired_fn *fn,
                 void *ctx, struct err *e)
{
    (void)s;
    (void)max;
    if (fake_refuse(e))
        return -1;
    struct fake_write *w = fake_queue('e', "");
    w->used_s = before_s;
    w->expired = fn;
    w->ctx = ctx;
    return 0;
}

void store_stats(const struct store *s, struct store_stats *ret)
{
    (void)s;
    *ret = (struct store_stats){.healthy = true};
    for (int i = 0; i < FAKE_ROWS; i++)
        ret->rows += fake.rows[i].version != 0;
}

uint64_t store_rows(struct store *s)
{
    struct store_stats stats;

    store_stats(s, &stats);
    return stats.rows;
}

/* It keeps nothing that could be let go of. */
void store_shed(struct store *s)
{
    (void)s;
}

static void fake_put(struct fake_write *w)
{
    struct fake_row *r = fake_find(w->id);
    struct err e;

    if (fake.fail_puts || (r ? r->version : 0) != w->replaces) {
        err_set(&e, fake.fail_puts ? fake.fail_puts : ERR_CONFLICT, 0, "told to fail or stale");
        free(w->data);
        w->done(w->ctx, 0, &e);
        return;
    }
    if (!r)
        r = fake_add(w->id);
    free(r->data);
    r->data = w->data;
    r->len = w->len;
    r->version = w->replaces + 1;
    r->used_s = w->used_s;
    w->done(w->ctx, r->version, NULL);
}

static void fake_replace(struct fake_write *w)
{
    struct fake_row *r = fake_find(w->id);
    struct err e;

    if (fake.fail_puts) {
        err_set(&e, fake.fail_puts, 0, "told to fail");
        free(w->data);
        w->done(w->ctx, 0, &e);
    } else if (!r || r->version != w->replaces || r->used_s != w->used_s) {
        free(w->data);
        w->done(w->ctx, 0, NULL);
    } else {
        free(r->data);
        r->data = w->data;
        r->len = w->len;
        w->done(w->ctx, r->version, NULL);
    }
}

static void fake_expire(struct fake_write *w)
{
    uint64_t gone = 0;

    for (int i = 0; i < FAKE_ROWS; i++) {
        if (fake.rows[i].version && fake.rows[i].used_s < w->used_s) {
            fake_drop(&fake.rows[i]);
            gone++;
        }
    }
    w->expired(w->ctx, gone, NULL);
}

/* Do and answer what was queued so far; what that queues anew waits for the next call. */
static inline void fake_reap(void)
{
    struct fake_write now[FAKE_ROWS];
    unsigned n = fake.queued;

    memcpy(now, fake.queue, n * sizeof(now[0]));
    fake.queued = 0;
    for (unsigned i = 0; i < n; i++) {
        struct fake_row *r;
        fake.changed |= now[i].kind != 'g';
        switch (now[i].kind) {
        case 'p':
            fake_put(&now[i]);
            break;
        case 'r':
            fake_replace(&now[i]);
            break;
        case 'g':
            fake_answer_get(now[i].id, now[i].replaces, now[i].got, now[i].ctx);
            break;
        case 'e':
            fake_expire(&now[i]);
            break;
        default:
            r = fake_find(now[i].id);
            if (r && (!now[i].replaces || now[i].replaces == r->version))
                fake_drop(r);
            if (now[i].done)
                now[i].done(now[i].ctx, 0, NULL);
        }
    }
}

static inline void fake_clear(void)
{
    for (int i = 0; i < FAKE_ROWS; i++)
        if (fake.rows[i].version)
            fake_drop(&fake.rows[i]);
    for (unsigned i = 0; i < fake.queued; i++)
        free(fake.queue[i].data);
    memset(&fake, 0, sizeof(fake));
}
