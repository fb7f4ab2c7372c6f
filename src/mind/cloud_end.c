/*
 * How a turn of a provider ends. Before the first word and before any change the owner may let
 * somebody else answer. Afterwards nobody may begin anew, or a drink would be poured twice: the
 * turn ends with a sentence that says how the order stands.
 */
#include "mind/cloud_int.h"

#include "bar/bar.h"
#include "base/log.h"
#include "mind/house_int.h"

#include <stdio.h>
#include <string.h>

#define RETRY_FIRST_MS 300
#define RETRY_MOST_MS 3000
#define RETRY_LONGEST_MS 5000 /* nobody waits longer in silence for a second try */

/* Speaking. */

void cloud__say(struct cloud_call *c, const char *text, size_t len)
{
    if (!len)
        return;
    c->spoke = true;
    c->blank = strchr(" \n\t", text[len - 1]) != NULL;
    c->text += len;
    c->sink.text(c->sink.ctx, text, len);
}

void cloud__flush(struct cloud_call *c)
{
    if (c->said.len && !c->over)
        cloud__say(c, c->said.data, c->said.len);
    if (!c->over)
        buf_clear(&c->said);
}

static void write_items(const struct bar_tab *tab, struct buf *out)
{
    for (int32_t i = 0; i < tab->line_count; i++) {
        const struct bar_line *l = &tab->lines[i];
        if (i)
            buf_str(out, ", ");
        if (l->quantity > 1)
            buf_printf(out, "%dx ", (int)l->quantity);
        buf_printf(out, "%s%s%s", l->name, l->modifiers[0] ? " with " : "", l->modifiers);
    }
}

static void write_phrase(struct cloud_call *c, enum occasion o, struct buf *out)
{
    const struct phrases *p = c->mind->cfg.phrases;
    const struct bar_tab *tab = c->turn->tab;
    const char *text = phrases_get(p, o, c->turn->seed % phrases_count(p, o));
    char money[24];

    while (*text) {
        size_t n = strcspn(text, "{");
        buf_add(out, text, n);
        text += n;
        if (strncmp(text, "{items}", 7) == 0) {
            write_items(tab, out);
        } else if (strncmp(text, "{tab}", 5) == 0) {
            bar_money(bar_tab_cents(tab), money);
            buf_str(out, money);
        }
        text += strcspn(text, "}");
        text += *text == '}';
    }
}

static void speak(struct cloud_call *c, enum occasion o)
{
    struct buf out;

    if (c->over)
        return;
    buf_init(&out, &c->talk.mem);
    if (c->spoke && !c->blank)
        buf_char(&out, ' ');
    write_phrase(c, o, &out);
    if (!out.full)
        cloud__say(c, out.data, out.len);
}

static void speak_of_tab(struct cloud_call *c)
{
    speak(c, c->turn->tab->line_count ? OC_mind_tab : OC_mind_tab_empty);
}

/* Ending. */

void cloud__release(struct cloud_call *c)
{
    c->over = true;
    cloud__hang_up(c);
    budget_return(c->talk.budget, c->charged);
    region_release(&c->talk);
    region_release(&c->wire);
    region_release(&c->room);
    region_release(&c->parse);
}

static void note_why(struct cloud_call *c, const char *why)
{
    snprintf(c->turn->why, sizeof(c->turn->why), "%s: %.140s", mind_name(c->mind->id), why);
}

void cloud__done(struct cloud_call *c)
{
    if (c->over)
        return;
    c->turn->by = c->mind->id;
    c->mind->stats.answers++;
    /* What the house mind meant to come back to is not what was talked of last. */
    *c->turn->memo = (struct mind_memo){0};
    cloud__release(c);
    c->sink.done(c->sink.ctx);
}

static void fail(struct cloud_call *c, enum err_code code, const char *why)
{
    struct err e;

    err_set(&e, code, 0, "%s: %s", mind_name(c->mind->id), why);
    cloud__release(c);
    c->sink.fail(c->sink.ctx, &e);
}

/* Is the provider itself to blame, so that others need not ask it now? */
static bool to_blame(const struct cloud_call *c, enum mind_outcome o, int status)
{
    switch (o) {
    case MIND_OUTCOME_FAILED:
    case MIND_OUTCOME_UNREACHABLE:
    case MIND_OUTCOME_TIMEOUT:
    case MIND_OUTCOME_CUT:
    case MIND_OUTCOME_MALFORMED:
        return true;
    case MIND_OUTCOME_REFUSED: /* a key, or a model, that is wrong for everybody */
        return !c->turn->own_key && (status == 401 || status == 403 || status == 404);
    default:
        return false;
    }
}

void cloud__settle(struct cloud_call *c, enum mind_outcome o, int status)
{
    struct cloud *m = c->mind;
    int64_t now = loop_now(m->all.loop);

    if (o != MIND_OUTCOME_SKIPPED && !c->asking)
        return;
    m->stats.outcomes[o]++;
    for (int i = 0; i < MIND_TOKEN__COUNT; i++)
        m->stats.tokens[i] += c->answer.tokens[i];
    memset(c->answer.tokens, 0, sizeof(c->answer.tokens));
    if (!c->asking || c->turn->own_key) {
        c->asking = false;
        return;
    }
    c->asking = false;
    if (to_blame(c, o, status))
        breaker_bad(&m->breaker, now);
    else if (o == MIND_OUTCOME_STOPPED)
        breaker_dropped(&m->breaker);
    else
        breaker_good(&m->breaker);
    if (o == MIND_OUTCOME_LIMITED && c->retry_ms > RETRY_LONGEST_MS)
        breaker_rest(&m->breaker, now + c->retry_ms);
}

/* When nothing was said and nothing done: the pause before another try, or -1. */
static int64_t pause_of(const struct cloud_call *c, enum mind_outcome o, int status)
{
    const struct mind_cfg *all = &c->mind->all;
    bool again =
        o == MIND_OUTCOME_LIMITED || o == MIND_OUTCOME_CUT ||
        (o == MIND_OUTCOME_FAILED && (status == 500 || (status >= 502 && status <= 504)));
    int64_t pause = breaker_pause_ms(c->tries + 1, RETRY_FIRST_MS, RETRY_MOST_MS,
                                     c->turn->seed >> c->tries);

    if (c->should_retry && o != MIND_OUTCOME_SKIPPED)
        again = c->should_retry > 0;
    if (c->retry_ms > pause)
        pause = c->retry_ms;
    if (!again || c->tries >= all->retries || pause > RETRY_LONGEST_MS ||
        loop_now(all->loop) - c->began_ms + pause >= all->whole_ms)
        return -1;
    return pause;
}

static void on_pause_over(void *ctx)
{
    struct cloud_call *c = ctx;

    c->inside++;
    loop_timer_free(&c->pause);
    cloud__ask(c);
    cloud__leave(c);
}

void cloud__lost(struct cloud_call *c, enum mind_outcome o, int status, const char *why)
{
    cloud__lost_with(c, o, status, why, why);
}

void cloud__lost_with(struct cloud_call *c, enum mind_outcome o, int status, const char *why,
                      const char *logged)
{
    int64_t pause;

    if (c->http)
        http_call_cancel(c->http);
    c->http = NULL;
    buf_clear(&c->said);
    cloud__settle(c, o, status);
    log_info("mind", "lost", "mind=%s outcome=%s status=%d try=%u round=%u why=\"%s\"",
             mind_name(c->mind->id), mind_outcome_label(o), status, c->tries + 1, c->round + 1,
             logged);
    if (!c->spoke && !c->effect) {
        pause = pause_of(c, o, status);
        if (pause < 0) {
            fail(c, ERR_MIND, why);
            return;
        }
        c->pause = loop_try_after(c->mind->all.loop, pause, on_pause_over, c);
        if (!c->pause) {
            fail(c, ERR_MIND, why);
            return;
        }
        c->tries++;
        c->mind->stats.retries++;
        return;
    }
    note_why(c, why);
    speak(c, OC_mind_lost);
    if (c->effect)
        speak_of_tab(c);
    cloud__done(c);
}

void cloud__no_memory(struct cloud_call *c)
{
    cloud__settle(c, MIND_OUTCOME_STOPPED, 0);
    if (!c->spoke && !c->effect) {
        fail(c, ERR_MIND, "the session's memory budget does not hold a request and its answer");
        return;
    }
    /* What was asked and answered goes, and leaves room for a sentence. */
    cloud__hang_up(c);
    region_release(&c->wire);
    region_release(&c->room);
    buf_init(&c->said, &c->room.mem);
    note_why(c, "the session's memory budget is used up");
    if (c->spoke)
        speak(c, OC_mind_lost);
    if (c->effect)
        speak_of_tab(c);
    if (c->spoke)
        cloud__done(c);
    else
        fail(c, ERR_SESSION_MEMORY, "the session's memory budget is used up");
}

void cloud__blocked(struct cloud_call *c)
{
    char why[100];

    cloud__settle(c, MIND_OUTCOME_BLOCKED, 200);
    snprintf(why, sizeof(why), "it does not answer this (%s)",
             c->answer.note[0] ? c->answer.note : "content filter");
    note_why(c, why);
    speak(c, OC_mind_blocked);
    if (c->effect)
        speak_of_tab(c);
    cloud__done(c);
}

void cloud__endless(struct cloud_call *c)
{
    cloud__settle(c, MIND_OUTCOME_MALFORMED, 200);
    if (!c->spoke && !c->effect) {
        fail(c, ERR_MIND, "its answer does not end");
        return;
    }
    note_why(c, "its answer did not end");
    speak(c, OC_mind_long);
    if (c->effect)
        speak_of_tab(c);
    cloud__done(c);
}

/* It did what was asked and has no words for it, or has neither. */
void cloud__nothing_said(struct cloud_call *c)
{
    if (!c->effect) {
        fail(c, ERR_MIND, "it said nothing");
        return;
    }
    speak_of_tab(c);
    cloud__done(c);
}
