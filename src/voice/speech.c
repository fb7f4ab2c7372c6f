/*
 * One answer, spoken: sentences wait in a queue; the first is cleaned and given to the
 * provider; what comes back is encoded (on the pool, unless that is a mere copy) and given out
 * in chunks; then comes the next. So a speech holds the audio of one sentence at most, and
 * that, with the texts that wait, is charged to its budget before it is there.
 *
 * step() does one thing and tells whether there may be more to do; everything that happens ends
 * in speech__pump(), which steps until nothing is left to do now.
 */
#include "voice/speech_int.h"

#include <stdlib.h>
#include <string.h>

/* Take the next line and have it spoken; what has nothing to be said is over at once. */
static void begin_line(struct speech *s)
{
    const struct voice_ear ear = {s, speech__on_heard, speech__on_said};
    struct buf clean = {.max = 8 * SPEECH_SENTENCE_MAX};
    struct voice *v = s->voice;

    s->now = LIST_ITEM(s->lines.next, struct line, link);
    list_remove(&s->now->link);
    voice_clean(&v->cfg.how, (struct str){s->now->text, s->now->len}, &clean);
    if (clean.len == 0) {
        speech__drop_line(s);
    } else {
        const struct voice_line line = {
            .text = {clean.data, clean.len},
            .speech = s->number,
            .first = !s->heard,
            .last = s->finished && list_empty(&s->lines),
        };
        s->task = v->ops->start(v->provider, &line, &ear);
        if (!s->task)
            speech__line_over(s, VOICE_FAILED);
    }
    buf_release(&clean);
}

/* Giving out. */

static void give_chunk(struct speech *s)
{
    size_t left = s->file.len - s->sent, n = left < SPEECH_CHUNK ? left : SPEECH_CHUNK;
    struct speech_chunk c = {
        .sentence = s->now ? s->now->sentence : s->sentence_count,
        .text = {s->now ? s->now->text : "", s->now ? s->now->len : 0},
        .rate = s->voice->rate,
        .seconds = (double)s->count / s->voice->rate,
        .visemes = s->visemes,
        .viseme_count = s->viseme_count,
        .index = s->chunk_count++,
        .last = n == left,
        .data = {s->file.data + s->sent, n},
    };

    if (!s->heard)
        histogram_add(&s->voice->stats.first_seconds,
                      (double)(s->voice->cfg.now_ns() - s->first_ns) / 1e9);
    s->heard = true;
    s->sent += n;
    s->sink.audio(s->sink.ctx, &c);
}

/* The end of a file that all sentences share. */
static void give_tail(struct speech *s)
{
    if (speech__reserve(s, &s->file, 0) && s->ops->finish(s->encoder, &s->file))
        while (s->sent < s->file.len && !s->dead)
            give_chunk(s);
    if (!s->dead) {
        speech__drop_encoder(s);
        speech__drop_audio(s);
    }
}

static void end(struct speech *s, enum voice_outcome o)
{
    s->dead = true;
    s->sink.ended(s->sink.ctx, o);
}

/* One thing, if there is one to do now. */
static bool step(struct speech *s)
{
    if (s->paused)
        return false;
    if (s->voice->pending) {
        voice__hurry(s->voice); /* speech__loaded() goes on */
        return false;
    }
    if (s->voice->id == VOICE__COUNT) {
        end(s, VOICE_FAILED);
        return false;
    }
    if (s->bad && !s->task) {
        speech__line_over(s, s->why);
        return true;
    }
    if (s->whole && s->sent < s->file.len) {
        give_chunk(s);
        return true;
    }
    if (s->whole) {
        speech__line_over(s, VOICE_SPOKEN);
        return true;
    }
    if (s->task || s->encoding)
        return false;
    if (!list_empty(&s->lines)) {
        begin_line(s);
        return true;
    }
    if (!s->finished)
        return false;
    if (s->encoder && s->want.joined) {
        give_tail(s);
        return true;
    }
    end(s, s->any ? VOICE_SPOKEN : s->why);
    return false;
}

static void release(struct speech *s)
{
    if (s->task)
        s->voice->ops->stop(s->task);
    if (s->encoding)
        s->encoding->speech = NULL; /* it frees itself, and the encoder */
    if (s->now && s->voice->id != VOICE__COUNT)
        s->voice->stats.sentences[s->voice->id][VOICE_STOPPED]++;
    s->want.joined = false; /* the encoder goes too */
    speech__drop_audio(s);
    speech__drop_line(s);
    LIST_EACH(at, after, &s->lines)
    {
        struct line *l = LIST_ITEM(at, struct line, link);
        list_remove(at);
        speech__put_down(s, l->cost);
        free(l);
    }
    speech__put_down(s, s->carried);
    list_remove(&s->link);
    s->voice->stats.speeches--;
    free(s);
}

void speech__pump(struct speech *s)
{
    if (s->stepping)
        return; /* whoever steps goes on */
    s->stepping = true;
    while (!s->dead && step(s))
        ;
    s->stepping = false;
    if (s->dead)
        release(s);
}

/* What the owner does. */

struct speech *speech_new(struct voice *v, const struct speech_want *want,
                          const struct speech_sink *sink)
{
    struct speech *s = calloc(1, sizeof(*s));

    if (!s)
        return NULL;
    s->voice = v;
    s->want = *want;
    s->sink = *sink;
    s->ops = voice__encoder(want->format);
    s->number = ++v->speech_count;
    list_init(&s->lines);
    list_init(&s->link);
    if (!speech_carry(s, sizeof(*s) + SPEECH_BLOCK)) {
        free(s);
        return NULL;
    }
    list_append(&v->speeches, &s->link);
    v->stats.speeches++;
    return s;
}

/* Where to cut a text that is too long: behind a mark, or a space, or a character. */
static size_t part(struct str text)
{
    size_t mark = 0, space = 0, end = SPEECH_SENTENCE_MAX;

    if (text.len <= SPEECH_SENTENCE_MAX)
        return text.len;
    for (size_t i = SPEECH_SENTENCE_MAX / 4; i < SPEECH_SENTENCE_MAX; i++) {
        if (text.data[i] != ' ' && text.data[i] != '\n')
            continue;
        space = i + 1;
        if (strchr(",;:-)\n", text.data[i - 1]))
            mark = i + 1;
    }
    if (mark || space)
        return mark ? mark : space;
    while (((unsigned char)text.data[end] & 0xc0) == 0x80)
        end--;
    return end;
}

void speech_say(struct speech *s, struct str sentence)
{
    size_t number = s->sentence_count++;

    if (number == 0)
        s->first_ns = s->voice->cfg.now_ns();
    for (size_t n; sentence.len; sentence = (struct str){sentence.data + n, sentence.len - n}) {
        n = part(sentence);
        size_t cost = sizeof(struct line) + n + SPEECH_BLOCK;
        bool carried = speech_carry(s, cost);
        struct line *l = carried ? calloc(1, sizeof(*l) + n) : NULL;
        if (!l) {
            speech__put_down(s, carried ? cost : 0);
            s->why = VOICE_OVER_BUDGET;
            if (s->voice->id != VOICE__COUNT)
                s->voice->stats.sentences[s->voice->id][VOICE_OVER_BUDGET]++;
            break;
        }
        *l = (struct line){.sentence = number, .cost = cost, .len = n};
        memcpy(l->text, sentence.data, n);
        list_append(&s->lines, &l->link);
    }
    speech__pump(s);
}

void speech_finish(struct speech *s)
{
    s->finished = true;
    speech__pump(s);
}

void speech_pause(struct speech *s, bool pause)
{
    s->paused = pause;
    if (!pause)
        speech__pump(s);
}

void speech_stop(struct speech **ref)
{
    struct speech *s = *ref;

    *ref = NULL;
    if (!s || s->dead)
        return;
    s->dead = true;
    if (!s->stepping)
        release(s);
}

void speech__loaded(struct voice *v)
{
    struct list now;

    list_init(&now);
    while (!list_empty(&v->speeches)) { /* one may stop others */
        struct list *first = v->speeches.next;
        list_remove(first);
        list_append(&now, first);
    }
    while (!list_empty(&now)) {
        struct list *first = now.next;
        list_remove(first);
        list_append(&v->speeches, first);
        speech__pump(LIST_ITEM(first, struct speech, link));
    }
}
