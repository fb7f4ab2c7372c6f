#include "session/session.h"

#include "seal/seal.h"
#include "session/session_int.h"

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

int session_commit(struct session *s, struct region *scratch, int64_t now_s,
                   session_commit_fn *done, void *ctx, struct err *e)
{
    struct session_table *t = s->table;
    struct buf plain, sealed = BUF_INIT;

    MUST(s->state == SESSION_BUSY && !s->committed);
    s->used_before_s = s->used_s;
    s->used_s = now_s;
    buf_init(&plain, &scratch->mem);
    session_encode(s, &plain);
    if (plain.full) {
        s->used_s = s->used_before_s;
        t->stats.over_budget++;
        return err_set(e, ERR_SESSION_MEMORY, 0,
                       "the session's memory budget of %zu bytes cannot hold this",
                       s->budget.limit);
    }
    seal_lock(t->cfg.seal, s->id, plain.data, plain.len, &sealed);
    buf_release(&plain);
    if (sealed.full) {
        s->used_s = s->used_before_s;
        buf_release(&sealed);
        return err_set(e, ERR_NOMEM, 0, "%s", err_sentence(ERR_NOMEM));
    }
    s->committed = done;
    s->commit_ctx = ctx;
    store_put(t->cfg.store, s->id, s->version, now_s, sealed.data, sealed.len, stored, s);
    buf_release(&sealed);
    return 0;
}
