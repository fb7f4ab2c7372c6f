/*
 * Which voice speaks. A speech begins with the first of the table that would, and when that
 * cannot it goes on with the next: what was not begun yet is asked of that one, and a sentence
 * that broke off ends where it broke off.
 */
#include "voice/speech_int.h"

#include "base/log.h"

#include <stdio.h>

/* Sentences are asked for ahead until so much of their audio waits. */
#define AHEAD_BYTES ((size_t)256 * 1024)

const struct voice_ops *speech__ops(const struct speech *s)
{
    return s->voice->seats[s->by].ops;
}

enum voice_id speech_voice(const struct speech *s)
{
    return s->spoke;
}

const char *speech_why(const struct speech *s)
{
    return s->why;
}

bool speech__last(struct speech *s)
{
    if (!s->known || s->told)
        return false;
    s->told = true;
    if (speech__ops(s)->over)
        speech__ops(s)->over(s->voice->seats[s->by].provider, s->number);
    return true;
}

void speech__over(struct speech *s)
{
    speech__last(s);
    s->known = s->told = false;
    speech__put_down(s, s->known_cost);
    s->known_cost = 0;
}

static void count(struct speech *s, enum voice_outcome o)
{
    s->voice->stats.sentences[s->by][o]++;
    s->why_not = o;
}

/* What was asked of the voice goes back to those that wait, in order. */
static void take_back(struct speech *s)
{
    while (!list_empty(&s->asked)) {
        struct line *l = LIST_ITEM(s->asked.prev, struct line, link);
        speech__hush(l);
        speech__drop_audio(l);
        l->said = l->bad = false;
        list_remove(&l->link);
        list_append(s->lines.next, &l->link); /* before the first */
    }
    s->asked_count = 0;
}

bool speech__switch(struct speech *s)
{
    enum voice_id next = voice__next(s->voice, s->by + 1u, s->want.key.len > 0);

    if (!s->why[0])
        snprintf(s->why, sizeof(s->why), "%s: %.140s", speech__ops(s)->name, s->failed);
    if (next == VOICE__COUNT)
        return false;
    log_info("voice", "next", "from=%s to=%s why=\"%s\"", speech__ops(s)->name,
             s->voice->seats[next].ops->name, s->failed);
    take_back(s);
    speech__over(s);
    s->voice->stats.fallbacks[s->by]++;
    s->by = next;
    return true;
}

/* What it is to the provider is charged with its first line. */
static bool introduce(struct speech *s)
{
    size_t bytes = speech__ops(s)->bytes;

    if (s->known)
        return true;
    if (bytes && !speech_carry(s, bytes))
        return false;
    s->known_cost = bytes;
    s->known = true;
    return true;
}

static void ask(struct speech *s, struct line *l, struct str clean)
{
    const struct voice_ear ear = {l, speech__on_heard, speech__on_said};
    const struct voice_line line = {
        .text = clean,
        .speech = s->number,
        .key = s->want.key,
        .first = !s->heard,
    };

    if (introduce(s))
        l->task = speech__ops(s)->start(s->voice->seats[s->by].provider, &line, &ear);
    if (l->task)
        return;
    l->said = true;
    speech__give_up(l, VOICE_FAILED);
    str_copy(s->failed, sizeof(s->failed), "no memory for a request");
}

/* May one more be asked for, behind those that are? */
static bool may_ask(const struct speech *s)
{
    const struct voice_ops *ops = speech__ops(s);
    size_t held = s->file_cost;

    if (list_empty(&s->lines))
        return false;
    if (s->asked_count == 0)
        return true;
    if (s->asked_count >= ops->ahead || speech__front(s)->bad)
        return false;
    LIST_EACH(at, after, &s->asked)
    {
        held += LIST_ITEM(at, struct line, link)->held;
    }
    return held < AHEAD_BYTES;
}

bool speech__begin_line(struct speech *s)
{
    struct buf clean = {.max = 8 * SPEECH_SENTENCE_MAX};

    if (!may_ask(s))
        return false;
    struct line *l = LIST_ITEM(s->lines.next, struct line, link);
    voice_clean(&s->voice->cfg.how, (struct str){l->text, l->len}, &clean);
    if (clean.full) {
        count(s, VOICE_OVER_BUDGET);
        speech__drop_line(l);
    } else if (clean.len == 0) { /* nothing of it is to be said */
        speech__drop_line(l);
    } else {
        list_remove(&l->link);
        list_append(&s->asked, &l->link);
        s->asked_count++;
        ask(s, l, (struct str){clean.data, clean.len});
    }
    buf_release(&clean);
    return true;
}
