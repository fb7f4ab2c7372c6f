#include "session/session.h"

#include "seal/seal.h"
#include "session/session_int.h"

#include <string.h>

struct session_message *session__append(struct session *s, bool from_person, struct str text)
{
    struct session_message *m;

    if (text.len > UINT32_MAX)
        return NULL;
    m = region_alloc(&s->region, offsetof(struct session_message, text) + text.len + 1);
    if (!m)
        return NULL;
    m->from_person = from_person;
    m->len = (uint32_t)text.len;
    memcpy(m->text, text.data, text.len);
    if (s->last)
        s->last->next = m;
    else
        s->first = m;
    s->last = m;
    s->message_count++;
    return m;
}

/* Unlink everything behind `keep` (NULL: everything). */
static void cut_after(struct session *s, struct session_message *keep, uint32_t count)
{
    s->message_count -= count;
    s->last = keep;
    if (keep)
        keep->next = NULL;
    else
        s->first = NULL;
}

bool session_say(struct session *s, struct str person, struct str agent)
{
    struct session_message *before = s->last;

    if (!session__append(s, true, person))
        return false;
    if (!session__append(s, false, agent)) {
        cut_after(s, before, 1);
        return false;
    }
    s->turns++;
    return true;
}

/* Drop the oldest turns until what is kept is about an eighth of the budget. */
static void forget_oldest(struct session *s)
{
    size_t kept = 0, most = s->budget.limit / 8;

    for (struct session_message *m = s->first; m; m = m->next)
        kept += m->len + sizeof(*m) + 16;
    while (s->first && (kept > most || s->message_count % 2)) {
        kept -= s->first->len + sizeof(*s->first) + 16;
        s->first = s->first->next;
        s->message_count--;
        s->folded_count++;
    }
    if (!s->first)
        s->last = NULL;
}

int session_fold(struct session *s, struct err *e)
{
    struct buf *plain = &s->table->plain;

    if (s->region.held <= s->budget.limit / 4)
        return 0;
    forget_oldest(s);
    /* By way of the table's buffer, so that it works in a full session too. The old region is
     * given back before the new one is built: never both, so the budget is kept. */
    buf_clear(plain);
    session_encode(s, plain);
    if (plain->full)
        return err_set(e, ERR_NOMEM, 0, "%s", err_sentence(ERR_NOMEM));
    session__wipe(s);
    int rc = session_decode(s, plain->data, plain->len, e);
    session__plain_done(s->table);
    return rc;
}

int session_reset(struct session *s, struct err *e)
{
    session__wipe(s);
    s->agent = s->table->cfg.state_ops->make(&s->region);
    if (!s->agent)
        return err_set(e, ERR_SESSION_MEMORY, 0, "%s", err_sentence(ERR_SESSION_MEMORY));
    return 0;
}

struct session_secret *session__secret(struct session *s, const void *data, size_t len)
{
    struct session_secret *secret = region_alloc(&s->region, sizeof(*secret) + len);

    if (!secret)
        return NULL;
    secret->len = (uint32_t)len;
    memcpy(secret->data, data, len);
    return secret;
}

static int seal_key(struct session *s, struct str key, struct session_secret **ret,
                    struct err *e)
{
    struct buf sealed = BUF_INIT;

    *ret = NULL;
    if (key.len == 0)
        return 0;
    if (key.len > SESSION_SECRET_MAX)
        return err_set(e, ERR_INVALID, 0, "a key has at most %d characters",
                       SESSION_SECRET_MAX);
    seal_lock(s->table->cfg.seal, s->id, key.data, key.len, &sealed);
    s->budget.starved |= sealed.full;
    *ret = sealed.full ? NULL : session__secret(s, sealed.data, sealed.len);
    buf_release(&sealed);
    if (!*ret)
        return err_set(e, ERR_SESSION_MEMORY, 0, "%s", err_sentence(ERR_SESSION_MEMORY));
    return 0;
}

int session_set_keys(struct session *s, struct str gemini, struct str cartesia, struct err *e)
{
    struct session_secret *g, *c;

    if (seal_key(s, gemini, &g, e) < 0 || seal_key(s, cartesia, &c, e) < 0)
        return -1;
    s->gemini = g;
    s->cartesia = c;
    return 0;
}

bool session_has_keys(const struct session *s)
{
    return s->gemini != NULL;
}
