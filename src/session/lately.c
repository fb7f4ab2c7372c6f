/*
 * Which rows were written lately. Every look is for those that were used since shortly before
 * the look before began, or the clock was set back: a commit is on disk some time after the
 * moment that it names.
 */
#include "session/session.h"

#include "session/session_int.h"
#include "store/store.h"

#ifndef ROWS_MAX
#define ROWS_MAX 1000 /* at a time */
#endif

static bool on_row(void *ctx, const char *id, const struct store_row *row)
{
    struct session_lately *l = ctx;

    l->told(l->ctx, id, row->version);
    return true;
}

/* False: nothing was written since the last look. */
static bool begin(struct session_lately *l, struct store *store, int64_t now_s)
{
    bool first = l->begun_s == 0;

    if (!store_changed(store) && !first)
        return false;
    l->place_s = (first || now_s < l->begun_s ? now_s : l->begun_s) - LATELY_S;
    l->place_row = 0;
    l->begun_s = now_s;
    return true;
}

bool session_lately(struct session_table *t, int64_t now_s, struct session_lately *l)
{
    struct store *store = t->cfg.store;
    bool more;
    struct err e;

    if (!l->reading && !begin(l, store, now_s))
        return false;
    struct store_place place = {l->place_s, l->place_row};
    l->reading = true;
    if (store_recent(store, &place, ROWS_MAX, on_row, l, &more, &e) < 0)
        return false; /* the next call tries the same again; the store counts it */
    l->reading = more;
    l->place_s = place.used_at_s;
    l->place_row = place.row;
    return more;
}
