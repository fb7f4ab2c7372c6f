#include "session/session.h"

#include "seal/seal.h"
#include "session/session_int.h"

#define PLAIN_KEEP ((size_t)256 * 1024) /* of the table's buffer, between uses */

void session__plain_done(struct session_table *t)
{
    if (t->plain.cap > PLAIN_KEEP)
        buf_release(&t->plain);
}

/* The store has answered. */
static void stored(void *ctx, uint64_t version, const struct err *e)
{
    struct session *s = ctx;
    struct session_table *t = s->table;
    session_commit_fn *done = s->committed;

    MUST(s->magic == SESSION_MAGIC && s->state == SESSION_BUSY && done);
    s->committed = NULL;
    if (e) {
        t->stats.conflicts += e->code == ERR_CONFLICT;
        s->used_s = s->used_before_s;
    } else {
        if (s->version == 0) {
            t->unstored--;
            t->stats.created++;
        }
        s->version = version;
    }
    done(s->commit_ctx, e);
}

int session_commit(struct session *s, int64_t now_s, session_commit_fn *done, void *ctx,
                   struct err *e)
{
    struct session_table *t = s->table;
    struct buf sealed = BUF_INIT;

    MUST(s->state == SESSION_BUSY && !s->committed);
    if (s->gemini)
        session__reseal_secret(t, s->id, s->gemini->data, s->gemini->len);
    if (s->cartesia)
        session__reseal_secret(t, s->id, s->cartesia->data, s->cartesia->len);
    s->used_before_s = s->used_s;
    s->used_s = now_s;
    /* In the table's buffer: one that grew in a region would leave its smaller selves behind
     * there, twice the bytes in all. What it holds is charged all the same. */
    buf_clear(&t->plain);
    session_encode(s, &t->plain);
    if (t->plain.full) { /* half a session must not replace a whole one */
        s->used_s = s->used_before_s;
        return err_set(e, ERR_NOMEM, 0, "%s", err_sentence(ERR_NOMEM));
    }
    if (!budget_fits(&s->budget, t->plain.len)) {
        s->used_s = s->used_before_s;
        t->stats.over_budget++;
        return err_set(e, ERR_SESSION_MEMORY, 0,
                       "the session's memory budget of %zu bytes cannot hold this",
                       s->budget.limit);
    }
    seal_lock(t->cfg.seal, s->id, t->plain.data, t->plain.len, &sealed);
    session__plain_done(t);
    if (sealed.full) {
        s->used_s = s->used_before_s;
        buf_release(&sealed);
        return err_set(e, ERR_NOMEM, 0, "%s", err_sentence(ERR_NOMEM));
    }
    s->committed = done;
    s->commit_ctx = ctx;
    int rc = store_put(t->cfg.store, s->id, s->version, now_s, sealed.data, sealed.len, stored,
                       s, e);
    buf_release(&sealed);
    if (rc < 0) {
        s->committed = NULL;
        s->used_s = s->used_before_s;
    }
    return rc;
}
