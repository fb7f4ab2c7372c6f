/*
 * One context: the lines that go into it, and the audio, visemes and ends that come of them. It
 * belongs to a talk, which has one after the other; cartesia_ws.c has the socket it is on.
 */
#include "voice/cartesia_int.h"

#include "seal/seal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IDLE_MS 700 /* it forgets a context a second after its last audio */
#define VISEMES_MAX 8192

void cartesia__context_forget(struct cartesia_talk *t)
{
    t->id[0] = '\0';
    t->pending = 0;
    t->before = t->now = 0;
    t->finished = false;
    free(t->visemes);
    t->visemes = NULL;
    t->viseme_count = 0;
}

/* What goes. */

static bool say(struct cartesia_talk *t, struct str text, bool more, bool flush)
{
    const struct cartesia_say what = {
        .how = &t->provider->cfg->how,
        .text = text,
        .context = t->id,
        .more = more,
        .flush = flush,
    };
    struct buf out = BUF_INIT;
    bool sent;

    cartesia__write(&what, &out);
    sent = cartesia__ws_send(t, &out);
    buf_release(&out);
    return sent;
}

static void cancel(struct cartesia_talk *t)
{
    struct buf out = BUF_INIT;

    cartesia__write_cancel(t->id, &out);
    cartesia__ws_send(t, &out);
    buf_release(&out);
}

void cartesia__context_end(struct cartesia_talk *t)
{
    if (!t->id[0])
        return;
    if (t->pending)
        cancel(t);
    else if (!t->finished)
        say(t, (struct str){"", 0}, false, false);
}

static bool to_push(const struct cartesia_talk *t)
{
    LIST_EACH(at, after, &t->tasks)
    {
        if (!LIST_ITEM(at, struct voice_task, link)->pushed)
            return true;
    }
    return false;
}

/* A context to push into. False: Cartesia is not to be asked. */
static bool open_context(struct cartesia_talk *t)
{
    if (t->id[0] && !t->pending && cartesia__now(t->provider) - t->heard_ms > IDLE_MS) {
        cartesia__settle(t, VOICE_ASKED_OK, 200);
        cartesia__context_forget(t);
    }
    if (t->id[0])
        return true;
    if (!cartesia__try(t, VOICE_SOCKET))
        return false;
    snprintf(t->id, sizeof(t->id), "%016llx%016llx", (unsigned long long)seal_random_u64(),
             (unsigned long long)seal_random_u64());
    return true;
}

/* A line, and the mark behind it. A space parts it from the next. */
static bool push_line(struct cartesia_talk *t, struct voice_task *k)
{
    struct buf text = BUF_INIT;
    bool sent;

    buf_add(&text, k->text, k->len);
    buf_char(&text, ' ');
    sent = !text.full && say(t, (struct str){text.data, text.len}, true, false) &&
           say(t, (struct str){"", 0}, true, true);
    buf_release(&text);
    if (!t->pending)
        t->heard_ms = cartesia__now(t->provider);
    k->pushed = true;
    t->pending++;
    return sent;
}

void cartesia__context_push(struct cartesia_talk *t)
{
    if (to_push(t) && !open_context(t)) {
        t->wire = VOICE_SOCKET;
        cartesia__lost(t, VOICE_ASKED_SKIPPED, 0,
                       "it has failed several times and is left alone for a while");
        return;
    }
    LIST_EACH(at, after, &t->tasks)
    {
        struct voice_task *k = LIST_ITEM(at, struct voice_task, link);
        if (!k->pushed && !push_line(t, k)) {
            cartesia__lost(t, VOICE_ASKED_CUT, 0, "it cannot be told");
            return;
        }
    }
    if (t->ended && t->id[0] && !t->finished)
        t->finished = say(t, (struct str){"", 0}, false, false);
}

/* What comes. */

/* Those whose audio has come; times from now on since the line's beginning. */
static void tell_visemes(struct cartesia_talk *t)
{
    struct voice_task *k = cartesia__first(t);
    uint64_t begin = (uint64_t)t->before * 1000 / CARTESIA_RATE;
    uint64_t end = (uint64_t)(t->before + t->now) * 1000 / CARTESIA_RATE;
    size_t n = 0;

    while (n < t->viseme_count && t->visemes[n].at_ms < end)
        n++;
    if (n == 0 || !k || !k->pushed)
        return;
    for (size_t i = 0; i < n; i++) {
        uint32_t at = t->visemes[i].at_ms;
        t->visemes[i].at_ms = at < begin ? 0 : (uint32_t)(at - begin);
    }
    uint64_t serial = k->serial;
    struct voice_viseme *told = t->visemes;
    size_t left = t->viseme_count - n;
    t->visemes = NULL; /* the listener may end the context */
    t->viseme_count = 0;
    if (!k->skip)
        k->ear.heard(k->ear.ctx, NULL, 0, told, n);
    if (cartesia__still(t, serial) && left) {
        memmove(told, told + n, left * sizeof(*told));
        t->visemes = told;
        t->viseme_count = left;
    } else {
        free(told);
    }
}

static void keep_visemes(struct cartesia_talk *t, const struct cartesia_message *m)
{
    size_t n = t->viseme_count + m->viseme_count;
    struct voice_viseme *more;

    if (m->viseme_count == 0 || n > VISEMES_MAX)
        return;
    more = realloc(t->visemes, n * sizeof(*more));
    if (!more)
        return; /* a mouth that does not move is no reason to be silent */
    memcpy(more + t->viseme_count, m->visemes, m->viseme_count * sizeof(*more));
    t->visemes = more;
    t->viseme_count = n;
    tell_visemes(t);
}

static void take_audio(struct cartesia_talk *t, const struct cartesia_message *m)
{
    struct voice_task *k = cartesia__first(t);

    if (!k || !k->pushed)
        return;
    uint64_t serial = k->serial;
    t->now += m->audio.len / 2;
    cartesia__audio(t, m->audio.data, m->audio.len);
    if (cartesia__still(t, serial))
        tell_visemes(t);
}

/* The first line is whole. */
static void line_done(struct cartesia_talk *t)
{
    struct voice_task *k = cartesia__first(t);

    if (!k || !k->pushed)
        return;
    if (t->pending)
        t->pending--;
    t->before += t->now;
    t->now = 0;
    t->heard_ms = cartesia__now(t->provider);
    cartesia__said(t);
}

static void context_done(struct cartesia_talk *t)
{
    const struct voice_task *k;

    while (t->id[0] && (k = cartesia__first(t)) && k->pushed)
        line_done(t);
    if (!t->id[0])
        return;
    cartesia__settle(t, VOICE_ASKED_OK, 200);
    cartesia__context_forget(t);
    if (!list_empty(&t->tasks))
        cartesia__later(t, 0);
}

static void context_failed(struct cartesia_talk *t, const struct cartesia_message *m)
{
    char why[100];

    snprintf(why, sizeof(why), "it reports an error%s%s", m->code[0] ? " " : "", m->code);
    cartesia__context_forget(t); /* it is dead there, too */
    if (list_empty(&t->tasks)) {
        cartesia__settle(t, VOICE_ASKED_FAILED, m->status);
        return;
    }
    cartesia__lost(t,
                   m->status == 429                      ? VOICE_ASKED_LIMITED
                   : m->status >= 400 && m->status < 500 ? VOICE_ASKED_REFUSED
                                                         : VOICE_ASKED_FAILED,
                   m->status ? m->status : 500, why);
}

void cartesia__context_take(struct cartesia_talk *t, const struct cartesia_message *m)
{
    switch (m->kind) {
    case CARTESIA_CHUNK:
        take_audio(t, m);
        break;
    case CARTESIA_PHONEMES:
        keep_visemes(t, m);
        break;
    case CARTESIA_FLUSHED:
        line_done(t);
        break;
    case CARTESIA_DONE:
        context_done(t);
        break;
    case CARTESIA_ERROR:
        context_failed(t, m);
        break;
    case CARTESIA_MALFORMED:
        cartesia__lost(t, VOICE_ASKED_MALFORMED, 0, "it sent what the protocol does not have");
        break;
    case CARTESIA_NO_MEMORY:
        cartesia__lost(t, VOICE_ASKED_CUT, 0, "no memory for what it sent");
        break;
    case CARTESIA_OTHER:
        break;
    }
}
