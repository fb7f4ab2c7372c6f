/*
 * Folding: before the oldest messages of a long conversation go, what matters of them goes into
 * the session's summary. A mind that can does it, as a phase of the turn with bounds on time
 * and size; otherwise, and whenever the mind does not keep to them, the rule does
 * (fold_rule.c).
 */
#include "agent/turn_int.h"

#include <string.h>

#define FOLD_MS 10000 /* so long a person waits for a mind to fold, at most */

/* By rule, with a region of its own that the budget carries. */
int agent__fold(struct agent *a, struct session *s, struct err *e)
{
    struct str before = {s->summary, s->summary_len};
    struct region room;
    struct buf text;
    uint32_t count;
    int rc;

    if (!session_fold_due(s, &count))
        return 0;
    if (count == 0)
        return session_fold(s, 0, before, e);
    region_init(&room, &s->budget, 0);
    buf_init(&text, &room.mem);
    if (fold__by_rule(a->fold_rules, before, s->first, count, session_summary_max(s), &text))
        rc = session_fold(s, count, (struct str){text.data, text.len}, e);
    else
        rc = err_set(e, ERR_SESSION_MEMORY, 0, "%s", err_sentence(ERR_SESSION_MEMORY));
    region_release(&room);
    a->stats.folded_by_rule += rc == 0;
    return rc;
}

void agent_summary(const struct session *s, struct buf *out)
{
    size_t before;

    if (!s->folded_count)
        return;
    if (s->summary_len) {
        buf_add(out, s->summary, s->summary_len);
        buf_char(out, '\n');
    }
    before = out->len;
    bar_ordered_text(agent_tab(s), out);
    if (out->len > before)
        buf_char(out, '\n');
    buf_printf(out, "Turns folded: %u.", s->folded_count / 2);
}

/* ---- by the mind ---- */

static void by_rule(struct turn *t)
{
    struct err e;

    if (agent__fold(t->agent, t->session, &e) < 0) {
        t->dirty = true;
        turn__fail(t, &e);
        return;
    }
    turn__think(t);
}

/* What the mind said may stand in the session: the text, or an empty one. */
static struct str said(const struct turn *t)
{
    struct str text = {t->folded.data, t->folded.len};

    if (t->fold_failed || t->folded.full || !text.len ||
        utf8_valid_prefix(text.data, text.len) != text.len || memchr(text.data, '\0', text.len))
        return (struct str){"", 0};
    return str_trim(text);
}

/* The mind has ended, or was stopped. */
static void go_on(struct turn *t)
{
    struct session *s = t->session;
    struct str text = said(t);
    struct err e;
    int rc = 0;

    t->call = NULL;
    list_remove(&t->folding);
    if (text.len) {
        rc = session_fold(s, (uint32_t)t->fold.gone_count, text, &e);
        t->agent->stats.folded_by_mind += rc == 0;
    }
    region_release(&t->scratch);
    region_init(&t->scratch, &s->budget, TURN_SCRATCH_FIRST);
    if (!text.len) {
        by_rule(t);
    } else if (rc < 0) {
        t->dirty = true;
        turn__fail(t, &e);
    } else {
        turn__think(t);
    }
}

static void on_text(void *ctx, const char *data, size_t len)
{
    struct turn *t = ctx;

    buf_add(&t->folded, data, len);
}

static int on_tool(void *ctx, const char *name, struct json_t *args, struct json_t **ret)
{
    (void)ctx;
    (void)name;
    (void)args;
    (void)ret;
    return -1; /* there is nothing to be done but to fold */
}

static void on_done(void *ctx)
{
    struct turn *t = ctx;

    t->fold_ended = true;
    if (!t->inside)
        go_on(t);
}

static void on_fail(void *ctx, const struct err *e)
{
    struct turn *t = ctx;

    (void)e; /* nothing is lost by it: the rule folds */
    t->fold_failed = true;
    on_done(t);
}

/* The messages that are to go, as a mind is shown them; false when that does not fit. */
static bool show_gone(struct turn *t, uint32_t count)
{
    struct session *s = t->session;
    struct mind_said *gone = region_alloc(&t->scratch, count * sizeof(*gone));
    const struct session_message *m = s->first;

    if (!gone)
        return false;
    for (uint32_t i = 0; i < count; i++, m = m->next)
        gone[i] =
            (struct mind_said){m->from_person ? MIND_USER : MIND_ASSISTANT, {m->text, m->len}};
    t->fold = (struct mind_fold){
        .summary = {s->summary, s->summary_len},
        .gone = gone,
        .gone_count = count,
        .max = session_summary_max(s),
        .scratch = &t->scratch,
    };
    return true;
}

static void ask(struct turn *t)
{
    struct mind *mind = t->agent->mind;
    const struct mind_sink sink = {t, on_text, on_tool, on_done, on_fail};
    struct mind_call *call = NULL;

    buf_init(&t->folded, &t->scratch.mem);
    t->folded.max = t->fold.max;
    t->phase = TURN_FOLDING;
    t->fold_until_ms = agent__now_ms(t->agent) + FOLD_MS;
    list_append(&t->agent->folding, &t->folding);
    t->inside = true;
    struct region *before = json_region_enter(&t->scratch);
    mind->ops->fold(mind, &t->fold, &sink, &call);
    json_region_leave(before);
    t->inside = false;
    t->call = t->fold_ended ? NULL : call;
    if (t->silent)
        turn_stop(t);
    else if (t->fold_ended)
        go_on(t);
}

void turn__fold(struct turn *t)
{
    uint32_t count;

    if (!session_fold_due(t->session, &count))
        turn__think(t);
    else if (count == 0 || !t->agent->mind->ops->fold || !show_gone(t, count))
        by_rule(t);
    else
        ask(t);
}

void agent_tick(struct agent *a)
{
    struct list *first;

    while ((first = list_first(&a->folding))) {
        struct turn *t = LIST_ITEM(first, struct turn, folding);
        if (agent__now_ms(a) < t->fold_until_ms)
            break;
        a->mind->ops->stop(t->call);
        t->fold_failed = true;
        go_on(t);
    }
}
