#include "session/session.h"

#include "seal/seal.h"
#include "session/session_int.h"

#include <string.h>

#define HISTORY_MOST ((size_t)1024 * 1024) /* bytes of a session, whatever its budget */

struct session_message *session__append(struct session *s, bool from_person, struct str text)
{
    struct session_message *m;

    if (text.len > UINT32_MAX)
        return NULL;
    m = region_alloc(&s->region, offsetof(struct session_message, text) + text.len + 1);
    if (!m)
        return NULL;
    m->from_person = from_person;
    m->mark = 0;
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

size_t session_summary_max(const struct session *s)
{
    size_t most = s->budget.limit / 16;

    return most < SESSION_SUMMARY_MAX ? most : SESSION_SUMMARY_MAX;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/*
 * So many that what is kept is about an eighth of the budget, and begins with the person. A
 * large budget is no reason to keep more: reading what goes takes the loop's time, and
 * everybody waits.
 */
bool session_fold_due(const struct session *s, uint32_t *ret_count)
{
    const struct session_message *m;
    size_t kept = 0, most = least(s->budget.limit / 8, HISTORY_MOST / 2);
    uint32_t left = s->message_count;

    *ret_count = 0;
    if (s->region.held <= least(s->budget.limit / 4, HISTORY_MOST))
        return false;
    for (m = s->first; m; m = m->next)
        kept += m->len + sizeof(*m) + 16;
    for (m = s->first; m && (kept > most || left % 2); m = m->next) {
        kept -= m->len + sizeof(*m) + 16;
        left--;
    }
    *ret_count = s->message_count - left;
    return true;
}

static void drop_oldest(struct session *s, uint32_t count)
{
    MUST(count <= s->message_count);
    s->message_count -= count;
    s->folded_count += count;
    while (count--)
        s->first = s->first->next;
    if (!s->first)
        s->last = NULL;
}

int session_fold(struct session *s, uint32_t count, struct str summary, struct err *e)
{
    struct buf *plain = &s->table->plain;

    MUST(summary.len <= SESSION_SUMMARY_MAX);
    drop_oldest(s, count);
    s->summary = (char *)(uintptr_t)summary.data; /* borrowed until it is written down */
    s->summary_len = (uint32_t)summary.len;
    /* By way of the table's buffer, so that it works in a full session too. The old region is
     * given back before the new one is built: never both, so the budget is kept. */
    buf_clear(plain);
    session_encode(s, plain);
    s->summary = NULL;
    s->summary_len = 0;
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

int session_gemini_key(const struct session *s, struct buf *out, struct err *e)
{
    if (!s->gemini)
        return err_set(e, ERR_NOT_FOUND, 0, "the session has no key of its own");
    return seal_unlock(s->table->cfg.seal, s->id, s->gemini->data, s->gemini->len, out, e);
}

int session_cartesia_key(const struct session *s, struct buf *out, struct err *e)
{
    if (!s->cartesia)
        return err_set(e, ERR_NOT_FOUND, 0, "the session has no key of its own for Cartesia");
    return seal_unlock(s->table->cfg.seal, s->id, s->cartesia->data, s->cartesia->len, out, e);
}

bool session_has_keys(const struct session *s)
{
    return s->gemini != NULL;
}
