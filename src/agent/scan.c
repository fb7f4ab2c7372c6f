/*
 * Safety in a turn: what the person says is scanned before anybody hears it, by the rules and,
 * when there is one, by the moderation endpoint; and what the mind says before it is sent.
 */
#include "agent/turn_int.h"

#include <string.h>

/* What stands in the history for a message that was refused: no mind is shown it later. */
#define WITHHELD "[a message that was refused]"

/* Answered by a rule: the mind is not asked, and the order stays. */
static void refuse(struct turn *t)
{
    bool outer = t->starting;

    t->mind_turn = (struct mind_turn){.by = MIND_HOUSE};
    t->text = (struct str){WITHHELD, sizeof(WITHHELD) - 1};
    t->phase = TURN_THINKING;
    t->starting = t->inside = true;
    t->sink.opened(t->sink.ctx, t->session, t->session->turns + 1);
    buf_str(&t->reply, t->hit.say);
    turn__tell(t, 0);
    t->starting = outer;
    t->inside = false;
    turn__said(t);
}

static void on_moderated(void *ctx, const struct safety_hit *hit)
{
    struct turn *t = ctx;

    t->question = NULL;
    if (hit->rule) {
        t->hit = *hit;
        refuse(t);
    } else {
        turn__fold(t);
    }
}

void turn__scan(struct turn *t)
{
    struct safety *s = t->agent->safety;
    struct buf changed;

    t->phase = TURN_SCANNING;
    buf_init(&changed, &t->words.mem);
    switch (safety_input(s, t->text, &t->scratch, &changed, &t->hit)) {
    case SAFETY_NO_MEMORY:
        turn__over_budget(t);
        return;
    case SAFETY_REFUSED:
        refuse(t);
        return;
    case SAFETY_CHANGED:
        t->text = (struct str){changed.data, changed.len};
        break;
    case SAFETY_PASSES:
        break;
    }
    if (!safety_moderate(s, t->text, &t->scratch, on_moderated, t, &t->question))
        turn__fold(t);
}

/* Its own key must not come back to it in words either. */
static bool read_own_key(struct turn *t)
{
    struct err e;

    buf_init(&t->own, &t->words.mem);
    if (!session_has_keys(t->session))
        return true;
    buf_reserve(&t->own,
                SESSION_SECRET_MAX + 1); /* so that no copy of it is left behind by growing */
    if (session_gemini_key(t->session, &t->own, &e) < 0)
        return e.code != ERR_NOMEM;
    if (t->own.len >= SAFETY_OWN_MIN)
        t->own_key = (struct str){t->own.data, t->own.len};
    return true;
}

static void on_words(void *ctx, const char *data, size_t len)
{
    struct turn *t = ctx;

    buf_add(&t->reply, data, len);
}

bool turn__listen(struct turn *t)
{
    if (!read_own_key(t))
        return false;
    t->heard = region_alloc(&t->words, sizeof(*t->heard));
    if (!t->heard)
        return false;
    t->heard->safety = t->agent->safety;
    t->heard->where = SAFETY_OUTPUT;
    t->heard->own = &t->own_key;
    t->heard->own_count = t->own_key.len != 0;
    t->heard->emit = on_words;
    t->heard->ctx = t;
    return true;
}

void turn__hear(void *ctx, const char *data, size_t len)
{
    struct turn *t = ctx;
    size_t before = t->reply.len;

    if (t->over_budget || t->silent)
        return;
    safety_stream_feed(t->heard, data, len);
    turn__tell(t, before);
    if (t->silent && !t->inside)
        turn_stop(t);
}

void turn__heard(struct turn *t)
{
    size_t before = t->reply.len;

    if (!t->heard)
        return;
    safety_stream_end(t->heard);
    turn__tell(t, before);
    if (!t->hit.rule || t->hit.action == SAFETY_COUNT ||
        t->heard->hit.action == SAFETY_REFUSE) {
        if (t->heard->hit.rule)
            t->hit = t->heard->hit;
    }
}

void turn__scan_release(struct turn *t)
{
    safety_moderate_stop(&t->question);
    if (t->heard)
        safety_stream_wipe(t->heard);
    if (t->own.data)
        explicit_bzero(t->own.data, t->own.cap);
    t->heard = NULL;
    t->own_key = (struct str){0};
}
