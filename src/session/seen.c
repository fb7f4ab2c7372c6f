/* What may be known of a session without having it. */
#include "session/session.h"

#include "session/session_int.h"

#include <string.h>

static struct session *find(const struct session_table *t, const char *id)
{
    return map_get(&t->by_id, id, strlen(id));
}

const struct session *session_at_rest(const struct session_table *t, const char *id,
                                      int64_t now_s)
{
    const struct session *s = find(t, id);

    return s && s->state == SESSION_IDLE && !session__expired(t, s->used_s, now_s) ? s : NULL;
}

static void read_seen(void *ctx, const struct store_row *row, const struct err *failed)
{
    struct session_seen *q = ctx;

    q->version = row ? row->version : 0;
    if (row)
        q->told(q, session__expired(q->table, row->used_at_s, q->now_s) ? -1 : row->used_at_s,
                NULL);
    else
        q->told(q, -1, failed);
}

void session_seen(struct session_table *t, const char *id, int64_t now_s,
                  struct session_seen *q)
{
    const struct session *s = find(t, id);

    q->table = t;
    q->now_s = now_s;
    q->version = s ? s->version : 0;
    if (!s || s->state == SESSION_LOADING)
        store_get(t->cfg.store, id, read_seen, q);
    else if (s->state == SESSION_IDLE) /* maybe it goes on in another container */
        store_get_newer(t->cfg.store, id, s->version, read_seen, q);
    else if (s->state == SESSION_BUSY && s->version > 0)
        q->told(q, now_s, NULL);
    else /* expired, or not yet stored */
        q->told(q, -1, NULL);
}

bool session_held(const struct session_table *t, const char *id)
{
    const struct session *s = find(t, id);

    return s && s->state != SESSION_IDLE;
}

struct budget *session_budget(const struct session *s)
{
    MUST(s->magic == SESSION_MAGIC && s->state == SESSION_BUSY);
    return (struct budget *)(uintptr_t)&s->budget; /* read-only is the conversation */
}
