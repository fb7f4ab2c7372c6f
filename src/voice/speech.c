/*
 * One answer, spoken: sentences wait in a queue; the first are cleaned and given to the
 * provider, as many as it wants at once; what comes back is encoded (on the pool, unless that
 * is a mere copy) and given out in chunks, in order: as it comes from a voice that streams,
 * sentence by sentence from one that does not. All that waits is charged to the speech's budget
 * before it is there.
 *
 * step() does one thing and tells whether there may be more to do; everything that happens ends
 * in speech__pump(), which steps until nothing is left to do now.
 */
#include "voice/speech_int.h"

#include <stdlib.h>
#include <string.h>

#define HOLD_BACK                                                                              \
    2 /* bytes of a file that is not whole, so that its last chunk is not empty                \
       */

/* Giving out. */

static void give_chunk(struct speech *s)
{
    struct line *l = speech__front(s);
    size_t left = s->file.len - s->sent - (s->closed ? 0 : HOLD_BACK);
    size_t n = left < SPEECH_CHUNK ? left : SPEECH_CHUNK;
    bool last = s->closed && n == left, sizes = s->closed && (last || s->chunk_count == 0);
    struct speech_chunk c = {
        .voice = s->by,
        .sentence = l ? l->sentence : s->sentence_count,
        .text = {l ? l->text : "", l ? l->len : 0},
        .rate = s->rate,
        .seconds = sizes && !s->sized && l ? (double)l->count / s->rate : 0,
        .visemes = l ? l->visemes : NULL,
        .viseme_count = l ? l->viseme_count : 0,
        .index = s->chunk_count++,
        .last = last,
        .data = {s->file.data + s->sent, n},
    };

    if (!s->heard)
        histogram_add(&s->voice->stats.first_seconds,
                      (double)(s->voice->cfg.now_ns() - s->first_ns) / 1e9);
    s->heard = true;
    s->sized |= sizes;
    s->spoke = s->by;
    s->sent += n;
    s->sink.audio(s->sink.ctx, &c);
    if (l)
        l->viseme_count = 0; /* told */
}

/* Something of the file may be given out now. */
static bool give(struct speech *s)
{
    size_t left = s->file.len - s->sent;

    if (!s->closed && (list_empty(&s->asked) || !speech__ops(s)->streams || left <= HOLD_BACK))
        return false;
    if (left == 0)
        return false;
    give_chunk(s);
    return true;
}

static void line_over(struct speech *s, struct line *l, enum voice_outcome o)
{
    struct voice_stats *stats = &s->voice->stats;

    stats->sentences[s->by][o]++;
    if (s->rate && s->chunk_count)
        stats->seconds[s->by] += (double)l->count / s->rate;
    s->any |= o == VOICE_SPOKEN;
    s->why_not = o;
    speech__hush(l);
    speech__drop_file(s);
    speech__drop_line(l);
    s->asked_count--;
}

static void end(struct speech *s, enum voice_outcome o)
{
    speech__over(s);
    s->dead = true;
    s->sink.ended(s->sink.ctx, o);
}

/* Something of it is out, or mixed up with what is. */
static bool begun(const struct speech *s, const struct line *l)
{
    return s->chunk_count > 0 ||
           (s->want.joined && s->heard && !s->ops->quick && l->count > l->kept);
}

/* Nothing of it is out, so another voice may say it. False: there is none. */
static bool say_otherwise(struct speech *s)
{
    enum voice_id by = s->by;

    if (!speech__switch(s))
        return false;
    s->voice->stats.sentences[by][VOICE_FAILED]++;
    speech__drop_file(s);
    if (!s->heard)
        speech__drop_encoder(s);
    return true;
}

/*
 * A line that was given up, and nothing is being encoded. What is begun ends where it is, and
 * another voice may say the others.
 */
static bool step_bad(struct speech *s, struct line *l)
{
    enum voice_outcome why = l->why;

    if (l->task && !speech__ops(s)->streams)
        return false; /* it ends soon */
    speech__hush(l);
    if (begun(s, l) && (speech__encode(l) || give(s)))
        return true;
    if (s->encoding)
        return false;
    if (why == VOICE_FAILED && !begun(s, l) && say_otherwise(s))
        return true;
    line_over(s, l, why);
    if (why == VOICE_FAILED)
        speech__switch(s);
    return true;
}

/* Of the line that is given out. */
static bool step_front(struct speech *s)
{
    struct line *l = speech__front(s);

    if (!l)
        return false;
    if (l->bad)
        return !s->encoding && step_bad(s, l);
    if (speech__encode(l) || give(s))
        return true;
    if (!s->closed)
        return false;
    line_over(s, l, VOICE_SPOKEN);
    return true;
}

static void say_why_silent(struct speech *s)
{
    struct err e;

    voice__why_silent(s->voice, &e);
    if (!s->why[0])
        str_copy(s->why, sizeof(s->why), e.msg);
}

/* Who is asked may not be there (yet). False: nothing can be done now. */
static bool step_voice(struct speech *s)
{
    const struct voice_seat *seat;

    if (s->by == VOICE__COUNT) {
        say_why_silent(s);
        end(s, VOICE_FAILED);
        return false;
    }
    seat = &s->voice->seats[s->by];
    if (seat->state == SEAT_PENDING) {
        voice__hurry(s->voice, s->by); /* speech__loaded() goes on */
        return false;
    }
    if (seat->state == SEAT_READY)
        return true;
    str_copy(s->failed, sizeof(s->failed), seat->failed.msg);
    if (!speech__switch(s))
        s->by = VOICE__COUNT;
    return step_voice(s);
}

/* Everything was said. */
static bool step_end(struct speech *s)
{
    if (!s->closed && speech__tail(s))
        return true;
    if (give(s))
        return true;
    end(s, s->any ? VOICE_SPOKEN : s->why_not);
    return false;
}

/* One thing, if there is one to do now. */
static bool step(struct speech *s)
{
    if (s->paused || !step_voice(s))
        return false;
    if (step_front(s) || speech__begin_line(s))
        return true;
    if (!s->finished || !list_empty(&s->lines))
        return false;
    if (speech__last(s))
        return true;
    return list_empty(&s->asked) && step_end(s);
}

static void release_lines(struct list *lines)
{
    struct list *first;

    while ((first = list_first(lines))) {
        struct line *l = LIST_ITEM(first, struct line, link);
        speech__hush(l);
        speech__drop_line(l);
    }
}

static void release(struct speech *s)
{
    if (s->encoding)
        s->encoding->speech = NULL; /* it frees itself, and the encoder */
    if (speech__front(s))
        s->voice->stats.sentences[s->by][VOICE_STOPPED]++;
    release_lines(&s->asked);
    release_lines(&s->lines);
    speech__over(s);
    speech__drop_file(s);
    speech__drop_encoder(s);
    speech__put_down(s, s->carried);
    list_remove(&s->link);
    s->voice->stats.speeches--;
    if (s->key)
        explicit_bzero(s->key, s->want.key.len);
    free(s->key);
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

static bool copy_key(struct speech *s, struct str key)
{
    if (key.len == 0)
        return true;
    s->key = malloc(key.len);
    if (s->key)
        memcpy(s->key, key.data, key.len);
    return s->key != NULL;
}

struct speech *speech_new(struct voice *v, const struct speech_want *want,
                          const struct speech_sink *sink)
{
    struct speech *s = calloc(1, sizeof(*s));

    if (!s || !copy_key(s, want->key)) {
        free(s);
        return NULL;
    }
    s->voice = v;
    s->want = *want;
    s->want.key.data = s->key;
    s->sink = *sink;
    s->by = voice__next(v, 0, want->key.len > 0);
    s->spoke = VOICE__COUNT;
    s->ops = voice__encoder(want->format);
    s->number = ++v->speech_count;
    list_init(&s->lines);
    list_init(&s->asked);
    list_init(&s->link);
    if (!speech_carry(s, sizeof(*s) + want->key.len + 2 * SPEECH_BLOCK)) {
        free(s->key);
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
            s->why_not = VOICE_OVER_BUDGET;
            if (s->by != VOICE__COUNT)
                s->voice->stats.sentences[s->by][VOICE_OVER_BUDGET]++;
            break;
        }
        *l = (struct line){.speech = s, .sentence = number, .cost = cost, .len = n};
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
    bool outer = s->stepping;

    s->paused = pause;
    s->stepping = true; /* who is let go on may speak at once */
    LIST_EACH(at, after, &s->asked)
    {
        struct line *l = LIST_ITEM(at, struct line, link);
        if (l->task && speech__ops(s)->hold)
            speech__ops(s)->hold(l->task, pause);
    }
    s->stepping = outer;
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
