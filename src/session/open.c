#include "session/session.h"

#include "seal/seal.h"
#include "session/session_int.h"

#include <string.h>

static void queue(struct session *s, struct session_wait *w)
{
    w->session = s;
    list_append(&s->waiters, &w->link);
    s->waiter_count++;
}

static struct session_wait *dequeue(struct session *s)
{
    struct list *first = list_first(&s->waiters);

    if (!first)
        return NULL;
    struct session_wait *w = LIST_ITEM(first, struct session_wait, link);
    list_remove(&w->link);
    s->waiter_count--;
    w->session = NULL;
    return w;
}

void session_wait_cancel(struct session_wait *w)
{
    list_remove(&w->link); /* of the queue, or of those who are being told (tell_all) */
    if (!w->session)
        return;
    w->session->waiter_count--;
    w->session = NULL;
}

/* Whoever is told may cancel others that are still in the list. */
static void tell_all(struct list *told, const struct err *e)
{
    while (!list_empty(told)) {
        struct session_wait *w = LIST_ITEM(told->next, struct session_wait, link);
        list_remove(&w->link);
        w->ready(w, NULL, e);
    }
}

/* To its next holder, whose own refusals are counted from here. */
static void hand_over(struct session *s, struct session_wait *w)
{
    s->budget.starved = false;
    w->ready(w, s, NULL);
}

static void take_all(struct session *s, struct list *ret)
{
    struct session_wait *w;

    list_init(ret);
    while ((w = dequeue(s)))
        list_append(ret, &w->link);
}

/* Nobody gets this session: take it away first, then tell everyone who waited. */
static void refuse_all(struct session *s, enum session_end why, const struct err *failed)
{
    struct list told;
    struct err e = *failed;

    budget_blame(&s->budget, &e);
    take_all(s, &told);
    session__close(s, why);
    tell_all(&told, &e);
}

void session__turn_away(struct session *s, const struct err *e)
{
    struct list told;

    take_all(s, &told);
    tell_all(&told, e);
}

static int make_fresh(struct session *s, int64_t now_s, struct err *e)
{
    s->created_s = s->used_s = now_s;
    s->turns = 0;
    s->agent = s->table->cfg.state_ops->make(&s->region);
    if (!s->agent)
        return err_set(e, ERR_SESSION_MEMORY, 0, "a new session does not fit in %zu bytes",
                       s->budget.limit);
    return 0;
}

static int read_row(struct session *s, const struct store_row *row, struct err *e)
{
    struct session_table *t = s->table;

    buf_clear(&t->plain);
    int rc = seal_unlock(t->cfg.seal, s->id, row->data, row->len, &t->plain, e);
    if (rc == 0)
        rc = session_decode(s, t->plain.data, t->plain.len, e);
    session__plain_done(t);
    if (rc < 0)
        return -1;
    if (t->reseal.state == SESSION_RESEAL_DONE &&
        !seal_current(t->cfg.seal, row->data, row->len))
        t->reseal.again = true; /* by a container that knew of the new key last */
    s->version = row->version;
    s->used_s = row->used_at_s;
    return 0;
}

/* Everyone who only wants to look is told that there is nothing to see. */
static void dismiss_lookers(struct session *s)
{
    struct list told;

    list_init(&told);
    LIST_EACH(at, after, &s->waiters)
    {
        struct session_wait *w = LIST_ITEM(at, struct session_wait, link);
        if (w->mode != SESSION_LOOK)
            continue;
        session_wait_cancel(w);
        list_append(&told, &w->link);
    }
    tell_all(&told, NULL);
}

/*
 * From its row, or anew. A row that cannot be read is given up only for who asked for that
 * (SESSION_RENEW), and one of a newer format never. What begins anew over a row replaces it
 * with its first commit.
 */
static int begin(struct session *s, const struct store_row *row, bool *fresh, int64_t now_s,
                 struct err *e)
{
    const struct session_wait *first = LIST_ITEM(s->waiters.next, struct session_wait, link);

    if (!*fresh && read_row(s, row, e) < 0) {
        s->table->stats.unreadable += e->code == ERR_CORRUPT || e->code == ERR_NEWER;
        if (first->mode != SESSION_RENEW || e->code == ERR_NEWER)
            return -1;
        session__wipe(s);
        *fresh = true;
    }
    if (*fresh && make_fresh(s, now_s, e) < 0)
        return -1;
    if (row)
        s->version = row->version;
    return 0;
}

/* The session's row, or that there is none, has come: admit whoever wants it. */
static void loaded(void *ctx, const struct store_row *row, const struct err *failed)
{
    struct session *s = ctx;
    struct session_table *t = s->table;
    int64_t now_s = s->used_before_s;
    struct err e;

    MUST(s->magic == SESSION_MAGIC && s->state == SESSION_LOADING);
    bool live = row && !session__expired(t, row->used_at_s, now_s);
    if (s->ended && session__removed_unread(s, live, failed))
        return;
    if (failed) {
        refuse_all(s, SESSION_END_FAILED, failed);
        return;
    }
    bool fresh = !live;
    if (fresh)
        dismiss_lookers(s);
    if (s->waiter_count == 0) {
        session__close(s, SESSION_END_NOBODY);
        return;
    }
    if (session__admit(t, !row, now_s, &e) < 0) {
        refuse_all(s, SESSION_END_NOBODY, &e);
        return;
    }
    t->stats.expired += row && fresh;
    if (begin(s, row, &fresh, now_s, &e) < 0) {
        refuse_all(s, SESSION_END_FAILED, &e);
        return;
    }
    t->stats.woken += !fresh;
    t->unstored += s->version == 0;
    session__move(s, SESSION_BUSY);
    hand_over(s, dequeue(s));
}

/* Read the row, or find that there is none. */
void session__load(struct session *s, int64_t now_s)
{
    s->version = 0;
    s->used_before_s = now_s;
    store_get(s->table->cfg.store, s->id, loaded, s);
}

/* What is in memory is stale: forget it, and begin again for whoever waits. */
static void forget(struct session *s)
{
    struct session_table *t = s->table;
    int64_t now_s = s->used_before_s;
    char id[SESSION_ID_MAX + 1];
    struct list told;

    str_copy(id, sizeof(id), s->id);
    take_all(s, &told);
    session__move(s, SESSION_IDLE);
    session__close(s, SESSION_END_CONFLICT);
    while (!list_empty(&told)) {
        struct session_wait *w = LIST_ITEM(told.next, struct session_wait, link);
        list_remove(&w->link);
        session_open(t, id, w->mode, now_s, w);
    }
}

/* Is what is in memory still what is stored? A container beside us may have gone on with it. */
static void checked(void *ctx, const struct store_row *row, const struct err *failed)
{
    struct session *s = ctx;

    MUST(s->magic == SESSION_MAGIC && s->state == SESSION_BUSY);
    /* What the store cannot tell now, its version tells at the commit. One that was ended and
     * begun anew may have come to the same version, but at another time. */
    if (s->ended || failed ||
        (row && row->version == s->version && row->used_at_s == s->used_s))
        session_leave(s);
    else
        forget(s);
}

void session_open(struct session_table *t, const char *id, enum session_mode mode,
                  int64_t now_s, struct session_wait *w)
{
    struct session *s = map_get(&t->by_id, id, strlen(id));
    struct err e;

    MUST(session_id_valid(id, strlen(id)));
    t->now_s = now_s;
    w->mode = mode;
    w->session = NULL;
    list_init(&w->link);
    /* Forgotten, not removed: its row is as old, and the first commit will replace it. */
    if (s && s->state == SESSION_IDLE && session__expired(t, s->used_s, now_s)) {
        session__close(s, SESSION_END_EXPIRED);
        s = NULL;
    }
    if (s && s->state == SESSION_IDLE) {
        session__move(s, SESSION_BUSY);
        queue(s, w);
        s->used_before_s = now_s;
        store_get_newer(t->cfg.store, s->id, s->version, checked, s);
        return;
    }
    if (s && s->waiter_count >= t->cfg.max_waiters) {
        err_set(&e, ERR_BUSY_TURN, 0, "%u messages are waiting in this session already",
                s->waiter_count);
        w->ready(w, NULL, &e);
        return;
    }
    if (s) {
        queue(s, w);
        if (s->state == SESSION_ENDING)
            s->used_before_s = now_s;
        return;
    }
    s = session__new(t, id);
    if (!s) {
        err_set(&e, ERR_NOMEM, 0, "%s", err_sentence(ERR_NOMEM));
        w->ready(w, NULL, &e);
        return;
    }
    queue(s, w);
    session__load(s, now_s);
}

void session_leave(struct session *s)
{
    struct session_wait *w;

    MUST(s->magic == SESSION_MAGIC && s->state == SESSION_BUSY);
    if (s->ended) {
        session__remove(s);
        return;
    }
    w = dequeue(s);
    if (w) {
        hand_over(s, w);
        return;
    }
    if (s->version == 0) {
        session__close(s, SESSION_END_NOBODY); /* never stored: nothing is lost */
        return;
    }
    s->idle_since_s = s->table->now_s;
    session__move(s, SESSION_IDLE);
    session__pack_soon(s);
}

/* The row of a session that is being reverted has come. */
static void reread(void *ctx, const struct store_row *row, const struct err *failed)
{
    struct session *s = ctx;
    struct err e;

    MUST(s->magic == SESSION_MAGIC && s->state == SESSION_BUSY);
    if (s->ended) {
        session__remove(s);
        return;
    }
    bool fresh = row && session__expired(s->table, row->used_at_s, s->used_before_s);
    if (row && (fresh ? make_fresh(s, s->used_before_s, &e) : read_row(s, row, &e)) == 0) {
        s->version = row->version;
        session_leave(s);
        return;
    }
    if (failed)
        e = *failed;
    else if (!row)
        err_set(&e, ERR_CONFLICT, 0, "this session was ended elsewhere; try again");
    refuse_all(s, SESSION_END_FAILED, &e);
}

void session_revert(struct session *s, int64_t now_s)
{
    struct err e;

    MUST(s->magic == SESSION_MAGIC && s->state == SESSION_BUSY && !s->committed);
    if (s->ended) {
        session__remove(s);
        return;
    }
    session__wipe(s);
    s->used_before_s = now_s;
    if (s->version) {
        store_get(s->table->cfg.store, s->id, reread, s);
        return;
    }
    if (make_fresh(s, now_s, &e) < 0)
        refuse_all(s, SESSION_END_FAILED, &e);
    else
        session_leave(s);
}
