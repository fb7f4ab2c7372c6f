/* The janitor: everything that ends a session for idleness. */
#include "session/session.h"

#include "base/log.h"
#include "session/session_int.h"

#define EXPIRE_ROWS 1000 /* of the store, in one transaction */
#define SWEEP_MOST 500   /* resident ones at a time; the tick goes on with it */

bool session__expired(const struct session_table *t, int64_t used_s, int64_t now_s)
{
    return now_s - used_s > t->cfg.expiry_s;
}

/*
 * The list is in the order in which they became idle, so those that nobody touched for so long
 * stand first. One that was only looked at since is found by the next look (session_open()), or
 * hibernates, and its row expires in the store.
 */
void session__sweep(struct session_table *t, int64_t now_s)
{
    unsigned ended = 0;

    t->swept_s = now_s;
    LIST_EACH(at, after, &t->by_state[SESSION_IDLE])
    {
        struct session *s = LIST_ITEM(at, struct session, link);
        if (!session__expired(t, s->idle_since_s, now_s) || ended == SWEEP_MOST)
            break;
        if (!session__expired(t, s->used_s, now_s))
            continue; /* the clock was set back between the two */
        session__remove(s);
        t->stats.expired++;
        ended++;
    }
    if (ended)
        log_info("session", "expire", "sessions=%u resident=%u", ended,
                 t->count[SESSION_IDLE] + t->count[SESSION_BUSY]);
}

static void expire_rows(struct session_table *t);

static void rows_removed(void *ctx, uint64_t count, const struct err *e)
{
    struct session_table *t = ctx;

    t->expiring = false;
    if (e) {
        log_warn("session", "expire_store", "error=\"%s\"", e->msg);
        return;
    }
    t->stats.expired += count;
    if (count == EXPIRE_ROWS)
        expire_rows(t); /* one transaction never holds more, and others come between */
}

static void expire_rows(struct session_table *t)
{
    /* Refused: the next cleanup tries again. */
    t->expiring =
        store_expire(t->cfg.store, t->expire_before_s, EXPIRE_ROWS, rows_removed, t, NULL) == 0;
}

void session_cleanup(struct session_table *t, int64_t now_s)
{
    t->now_s = now_s;
    session__sweep(t, now_s);
    if (t->expiring)
        return;
    t->expire_before_s = now_s - t->cfg.expiry_s - SESSION_EXPIRY_GRACE_S;
    expire_rows(t);
}
