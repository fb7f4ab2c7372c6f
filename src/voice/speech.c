/*
 * One answer, spoken: sentences wait in a queue; the first is cleaned and given to the
 * provider; what comes back is encoded (on the pool, unless that is a mere copy) and given out
 * in chunks; then comes the next. So a speech holds the audio of one sentence at most, and
 * that, with the texts that wait, is charged to its budget before it is there.
 *
 * step() does one thing and tells whether there may be more to do; everything that happens ends
 * in pump(), which steps until nothing is left to do now.
 */
#include "voice/voice_int.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK 32 /* what an allocation costs besides its bytes, at most */

struct line {
    struct list link;
    size_t sentence;
    size_t cost;
    size_t len;
    char text[];
};

/* An encoding on the pool. It owns what it works on until its end. */
struct encode {
    struct speech *speech; /* NULL: stopped meanwhile */
    const struct encoder_ops *ops;
    struct encoder *encoder;
    int16_t *samples;
    size_t count;
    struct buf out;
    bool last; /* of its file */
    bool fine;
};

struct speech {
    struct list link; /* voice->speeches */
    struct voice *voice;
    struct speech_want want;
    struct speech_sink sink;
    const struct encoder_ops *ops;
    uint64_t number;
    struct list lines;
    size_t sentence_count;
    size_t carried;   /* on want.budget, or the voice's own */
    size_t line_cost; /* of it: for the audio of the line that is spoken */

    struct line *now; /* what is spoken */
    struct voice_task *task;
    struct encode *encoding;
    struct encoder *encoder;
    int16_t *samples; /* for an encoder that works on the pool */
    size_t count;     /* samples of the line */
    struct voice_viseme *visemes;
    size_t viseme_count;
    struct buf file;
    size_t sent, chunk_count;
    bool whole; /* the line's audio is in `file` */
    bool bad;   /* it is given up */
    enum voice_outcome why;

    uint64_t first_ns;
    bool heard, any, paused, finished, stepping, dead;
};

/* Who pays. */

static struct budget *payer(struct speech *s)
{
    return s->want.budget ? s->want.budget : &s->voice->own;
}

bool speech_carry(struct speech *s, size_t n)
{
    if (!budget_charge(payer(s), n))
        return false;
    s->carried += n;
    s->voice->stats.own_bytes = s->voice->own.used;
    return true;
}

static void put_down(struct speech *s, size_t n)
{
    MUST(n <= s->carried);
    budget_return(payer(s), n);
    s->carried -= n;
    s->voice->stats.own_bytes = s->voice->own.used;
}

bool speech_charge(struct speech *s, struct budget *b)
{
    struct budget *to = b ? b : &s->voice->own;

    if (to == payer(s))
        return true;
    if (!budget_charge(to, s->carried))
        return false;
    budget_return(payer(s), s->carried);
    s->want.budget = b;
    s->voice->stats.own_bytes = s->voice->own.used;
    return true;
}

static bool carry_audio(struct speech *s, size_t n)
{
    if (!speech_carry(s, n + BLOCK))
        return false;
    s->line_cost += n + BLOCK;
    return true;
}

/* The line that is spoken. */

static void give_up(struct speech *s, enum voice_outcome why)
{
    s->bad = true;
    s->why = why;
}

static void drop_encoder(struct speech *s)
{
    if (s->encoder)
        s->ops->free(s->encoder);
    s->encoder = NULL;
}

static void drop_audio(struct speech *s)
{
    buf_release(&s->file);
    free(s->samples);
    free(s->visemes);
    s->samples = NULL;
    s->visemes = NULL;
    s->count = s->viseme_count = s->sent = s->chunk_count = 0;
    put_down(s, s->line_cost);
    s->line_cost = 0;
    if (!s->want.joined)
        drop_encoder(s);
}

static void drop_line(struct speech *s)
{
    if (!s->now)
        return;
    put_down(s, s->now->cost);
    free(s->now);
    s->now = NULL;
}

static void line_over(struct speech *s, enum voice_outcome o)
{
    struct voice_stats *stats = &s->voice->stats;

    stats->sentences[s->voice->id][o]++;
    if (o == VOICE_SPOKEN)
        stats->seconds[s->voice->id] += (double)s->count / s->voice->rate;
    s->any |= o == VOICE_SPOKEN;
    s->why = o;
    drop_audio(s);
    drop_line(s);
    s->whole = s->bad = false;
}

static void pump(struct speech *s);

/* What the encoder may write is charged before it does; and not rounded up, as a buf does. */
static bool reserve(struct speech *s, struct buf *out, size_t samples)
{
    size_t most = s->ops->most(samples);

    if (!carry_audio(s, most))
        return false;
    if (out->data)
        return buf_reserve(out, most) != NULL;
    out->data = malloc(most + 1);
    if (!out->data)
        return false;
    out->cap = most + 1;
    buf_clear(out);
    return true;
}

static void keep_visemes(struct speech *s, const struct voice_viseme *v, size_t n)
{
    size_t bytes = (s->viseme_count + n) * sizeof(*v);

    if (s->want.joined || n == 0)
        return;
    if (!carry_audio(s, n * sizeof(*v))) {
        give_up(s, VOICE_OVER_BUDGET);
        return;
    }
    struct voice_viseme *more = realloc(s->visemes, bytes);
    if (!more) {
        give_up(s, VOICE_FAILED);
        return;
    }
    memcpy(more + s->viseme_count, v, n * sizeof(*v));
    s->visemes = more;
    s->viseme_count += n;
}

static void keep_samples(struct speech *s, const int16_t *samples, size_t count)
{
    size_t bytes = (s->count + count) * sizeof(*samples);

    if (s->ops->quick) {
        if (!reserve(s, &s->file, count))
            give_up(s, VOICE_OVER_BUDGET);
        else if (!s->ops->add(s->encoder, samples, count, &s->file))
            give_up(s, VOICE_FAILED);
        return;
    }
    if (!carry_audio(s, count * sizeof(*samples))) {
        give_up(s, VOICE_OVER_BUDGET);
        return;
    }
    int16_t *more = realloc(s->samples, bytes);
    if (!more) {
        give_up(s, VOICE_FAILED);
        return;
    }
    memcpy(more + s->count, samples, count * sizeof(*samples));
    s->samples = more;
}

static void on_heard(void *ctx, const int16_t *samples, size_t count,
                     const struct voice_viseme *visemes, size_t viseme_count)
{
    struct speech *s = ctx;

    if (s->bad)
        return;
    if (s->count + count > (size_t)s->voice->rate * VOICE_SECONDS_MAX) {
        give_up(s, VOICE_FAILED);
        return;
    }
    if (!s->encoder && !(s->encoder = s->ops->open(s->voice->rate))) {
        give_up(s, VOICE_FAILED);
        return;
    }
    keep_samples(s, samples, count);
    if (!s->bad)
        keep_visemes(s, visemes, viseme_count);
    s->count += count;
}

/* On the pool. */
static void encode_work(void *ctx)
{
    struct encode *n = ctx;

    n->fine = (n->count == 0 || n->ops->add(n->encoder, n->samples, n->count, &n->out)) &&
              (!n->last || n->ops->finish(n->encoder, &n->out));
}

static void encode_free(struct encode *n)
{
    buf_release(&n->out);
    free(n->samples);
    free(n);
}

static void on_encoded(void *ctx, bool ran)
{
    struct encode *n = ctx;
    struct speech *s = n->speech;

    if (!s) {
        n->ops->free(n->encoder);
        encode_free(n);
        return;
    }
    s->encoding = NULL;
    s->encoder = n->encoder;
    s->file = n->out;
    n->out = (struct buf)BUF_INIT;
    if (!ran || !n->fine)
        give_up(s, VOICE_FAILED);
    s->whole = true;
    encode_free(n);
    pump(s);
}

/* Hand the samples to the pool. What the encoder had so far goes with them. */
static void begin_encoding(struct speech *s)
{
    struct encode *n = calloc(1, sizeof(*n));

    if (!n || !reserve(s, &n->out, s->count)) {
        give_up(s, n ? VOICE_OVER_BUDGET : VOICE_FAILED);
        free(n);
        return;
    }
    n->out.max = n->out.cap - 1; /* what was charged, and no more */
    n->speech = s;
    n->ops = s->ops;
    n->encoder = s->encoder;
    n->samples = s->samples;
    n->count = s->count;
    n->last = !s->want.joined;
    s->encoding = n;
    s->encoder = NULL;
    s->samples = NULL;
    if (loop_offload(s->voice->cfg.loop, encode_work, on_encoded, n))
        return;
    s->encoding = NULL;
    s->encoder = n->encoder;
    encode_free(n);
    give_up(s, VOICE_FAILED);
}

static void on_said(void *ctx, const struct err *failed)
{
    struct speech *s = ctx;

    s->task = NULL;
    if (failed && !s->bad)
        give_up(s, failed->code == ERR_NOMEM ? VOICE_OVER_BUDGET : VOICE_FAILED);
    if (!s->bad && !s->ops->quick) {
        begin_encoding(s);
    } else if (!s->bad) {
        if (s->want.format == VOICE_WAV && !s->want.joined)
            voice_wav_finish(s->file.data, s->file.len);
        s->whole = true;
    }
    pump(s);
}

/* Take the next line and have it spoken; what has nothing to be said is over at once. */
static void begin_line(struct speech *s)
{
    const struct voice_ear ear = {s, on_heard, on_said};
    struct buf clean = {.max = 8 * SPEECH_SENTENCE_MAX};
    struct voice *v = s->voice;

    s->now = LIST_ITEM(s->lines.next, struct line, link);
    list_remove(&s->now->link);
    voice_clean(&v->cfg.how, (struct str){s->now->text, s->now->len}, &clean);
    if (clean.len == 0) {
        drop_line(s);
    } else {
        const struct voice_line line = {
            .text = {clean.data, clean.len},
            .speech = s->number,
            .first = !s->heard,
            .last = s->finished && list_empty(&s->lines),
        };
        s->task = v->ops->start(v->provider, &line, &ear);
        if (!s->task)
            line_over(s, VOICE_FAILED);
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
    if (reserve(s, &s->file, 0) && s->ops->finish(s->encoder, &s->file))
        while (s->sent < s->file.len && !s->dead)
            give_chunk(s);
    if (!s->dead) {
        drop_encoder(s);
        drop_audio(s);
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
        line_over(s, s->why);
        return true;
    }
    if (s->whole && s->sent < s->file.len) {
        give_chunk(s);
        return true;
    }
    if (s->whole) {
        line_over(s, VOICE_SPOKEN);
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
    drop_audio(s);
    drop_line(s);
    LIST_EACH(at, after, &s->lines)
    {
        struct line *l = LIST_ITEM(at, struct line, link);
        list_remove(at);
        put_down(s, l->cost);
        free(l);
    }
    put_down(s, s->carried);
    list_remove(&s->link);
    s->voice->stats.speeches--;
    free(s);
}

static void pump(struct speech *s)
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
    if (!speech_carry(s, sizeof(*s) + BLOCK)) {
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
        size_t cost = sizeof(struct line) + n + BLOCK;
        bool carried = speech_carry(s, cost);
        struct line *l = carried ? calloc(1, sizeof(*l) + n) : NULL;
        if (!l) {
            put_down(s, carried ? cost : 0);
            s->why = VOICE_OVER_BUDGET;
            if (s->voice->id != VOICE__COUNT)
                s->voice->stats.sentences[s->voice->id][VOICE_OVER_BUDGET]++;
            break;
        }
        *l = (struct line){.sentence = number, .cost = cost, .len = n};
        memcpy(l->text, sentence.data, n);
        list_append(&s->lines, &l->link);
    }
    pump(s);
}

void speech_finish(struct speech *s)
{
    s->finished = true;
    pump(s);
}

void speech_pause(struct speech *s, bool pause)
{
    s->paused = pause;
    if (!pause)
        pump(s);
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
        pump(LIST_ITEM(first, struct speech, link));
    }
}
