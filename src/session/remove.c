/*
 * The end of a session: out of memory, and its row out of the store. For idleness (expire.c),
 * or by hand. While the store removes the row the session keeps its id: who could read the row
 * on its way out could not write it.
 */
#include "session/session.h"

#include "base/log.h"
#include "session/session_int.h"

#include <string.h>

/* Those who wait for the end of this session, out of the table's list. */
static void take_removals(struct session *s, struct list *ret)
{
    list_init(ret);
    LIST_EACH(at, after, &s->table->removals)
    {
        struct session_removal *r = LIST_ITEM(at, struct session_removal, link);
        if (r->session != s)
            continue;
        list_remove(&r->link);
        r->session = NULL;
        list_append(ret, &r->link);
    }
}

/* Whoever is told may cancel others that are still in the list. */
static void tell(struct list *told, const struct err *e)
{
    while (!list_empty(told)) {
        struct session_removal *r = LIST_ITEM(told->next, struct session_removal, link);
        list_remove(&r->link);
        r->done(r, e);
    }
}

/* The row is gone. Who came meanwhile begins anew, or finds a row that could not be removed. */
static void removed(void *ctx, uint64_t version, const struct err *e)
{
    struct session *s = ctx;
    enum session_end why = SESSION_END_EXPIRED;
    struct list told;

    (void)version;
    MUST(s->magic == SESSION_MAGIC && s->state == SESSION_ENDING);
    take_removals(s, &told);
    if (s->ended) {
        why = e ? SESSION_END_FAILED : SESSION_END_REMOVED;
        log_info("session", "end_by_hand", "session=%s done=%s", log_id(s->id),
                 e ? "no" : "yes");
    }
    s->ended = false;
    if (s->waiter_count == 0) {
        session__close(s, why);
    } else {
        s->table->stats.ended[why]++;
        session__move(s, SESSION_LOADING);
        session__load(s, s->used_before_s);
    }
    tell(&told, e);
}

void session__remove(struct session *s)
{
    struct session_table *t = s->table;
    struct err e;

    if (s->version == 0 && s->state == SESSION_BUSY)
        t->unstored--; /* the store is asked all the same: a put that failed may be there */
    s->used_before_s = t->now_s;
    session__wipe(s);
    session__move(s, SESSION_ENDING);
    /* Whom another container has used since has not expired; by hand it ends all the same. */
    uint64_t only = s->ended ? 0 : s->version;
    if (store_delete(t->cfg.store, s->id, only, removed, s, &e) < 0)
        removed(s, 0, &e); /* it leaves memory all the same; its row goes when it expires */
}

bool session__removed_unread(struct session *s, bool stored, const struct err *failed)
{
    struct list told;
    struct err none;

    if (stored) {
        session__remove(s);
        return true;
    }
    /* There is nothing to end; who came meanwhile goes on as if nobody had asked. */
    s->ended = false;
    err_set(&none, ERR_NOT_FOUND, 0, "there is no session with this id");
    take_removals(s, &told);
    tell(&told, failed ? failed : &none);
    return false;
}

void session_remove(struct session_table *t, const char *id, int64_t now_s,
                    struct session_removal *r)
{
    struct session *s = map_get(&t->by_id, id, strlen(id));
    bool unknown = !s;
    struct err e;

    MUST(session_id_valid(id, strlen(id)));
    t->now_s = now_s;
    if (unknown)
        s = session__new(t, id);
    if (!s) {
        err_set(&e, ERR_NOMEM, 0, "%s", err_sentence(ERR_NOMEM));
        r->done(r, &e);
        return;
    }
    r->session = s;
    list_init(&r->link);
    list_append(&t->removals, &r->link);
    if (s->state == SESSION_ENDING)
        return; /* already on its way; who waits for it will begin anew */
    s->ended = true;
    if (unknown) {
        session__load(s, now_s);
    } else if (s->state == SESSION_IDLE) {
        session__remove(s);
    } else { /* when it is read, or its holder leaves */
        err_set(&e, ERR_ENDED, 0, "%s", err_sentence(ERR_ENDED));
        session__turn_away(s, &e);
    }
}

void session_removal_cancel(struct session_removal *r)
{
    list_remove(&r->link);
    r->session = NULL;
}
