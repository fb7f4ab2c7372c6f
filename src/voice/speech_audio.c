/*
 * The audio of the line that is spoken: what is heard of it is charged, kept, and encoded (on
 * the pool, unless that is a mere copy).
 */
#include "voice/speech_int.h"

#include <stdlib.h>
#include <string.h>

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

void speech__put_down(struct speech *s, size_t n)
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
    if (!speech_carry(s, n + SPEECH_BLOCK))
        return false;
    s->line_cost += n + SPEECH_BLOCK;
    return true;
}

/* The line that is spoken. */

void speech__give_up(struct speech *s, enum voice_outcome why)
{
    s->bad = true;
    s->why = why;
}

void speech__drop_encoder(struct speech *s)
{
    if (s->encoder)
        s->ops->free(s->encoder);
    s->encoder = NULL;
}

void speech__drop_audio(struct speech *s)
{
    buf_release(&s->file);
    free(s->samples);
    free(s->visemes);
    s->samples = NULL;
    s->visemes = NULL;
    s->count = s->viseme_count = s->sent = s->chunk_count = 0;
    speech__put_down(s, s->line_cost);
    s->line_cost = 0;
    if (!s->want.joined)
        speech__drop_encoder(s);
}

void speech__drop_line(struct speech *s)
{
    if (!s->now)
        return;
    speech__put_down(s, s->now->cost);
    free(s->now);
    s->now = NULL;
}

void speech__line_over(struct speech *s, enum voice_outcome o)
{
    struct voice_stats *stats = &s->voice->stats;

    stats->sentences[s->voice->id][o]++;
    if (o == VOICE_SPOKEN)
        stats->seconds[s->voice->id] += (double)s->count / s->voice->rate;
    s->any |= o == VOICE_SPOKEN;
    s->why = o;
    speech__drop_audio(s);
    speech__drop_line(s);
    s->whole = s->bad = false;
}

/* What the encoder may write is charged before it does; and not rounded up, as a buf does. */
bool speech__reserve(struct speech *s, struct buf *out, size_t samples)
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
        speech__give_up(s, VOICE_OVER_BUDGET);
        return;
    }
    struct voice_viseme *more = realloc(s->visemes, bytes);
    if (!more) {
        speech__give_up(s, VOICE_FAILED);
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
        if (!speech__reserve(s, &s->file, count))
            speech__give_up(s, VOICE_OVER_BUDGET);
        else if (!s->ops->add(s->encoder, samples, count, &s->file))
            speech__give_up(s, VOICE_FAILED);
        return;
    }
    if (!carry_audio(s, count * sizeof(*samples))) {
        speech__give_up(s, VOICE_OVER_BUDGET);
        return;
    }
    int16_t *more = realloc(s->samples, bytes);
    if (!more) {
        speech__give_up(s, VOICE_FAILED);
        return;
    }
    memcpy(more + s->count, samples, count * sizeof(*samples));
    s->samples = more;
}

void speech__on_heard(void *ctx, const int16_t *samples, size_t count,
                      const struct voice_viseme *visemes, size_t viseme_count)
{
    struct speech *s = ctx;

    if (s->bad)
        return;
    if (s->count + count > (size_t)s->voice->rate * VOICE_SECONDS_MAX) {
        speech__give_up(s, VOICE_FAILED);
        return;
    }
    if (!s->encoder && !(s->encoder = s->ops->open(s->voice->rate))) {
        speech__give_up(s, VOICE_FAILED);
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
        speech__give_up(s, VOICE_FAILED);
    s->whole = true;
    encode_free(n);
    speech__pump(s);
}

/* Hand the samples to the pool. What the encoder had so far goes with them. */
static void begin_encoding(struct speech *s)
{
    struct encode *n = calloc(1, sizeof(*n));

    if (!n || !speech__reserve(s, &n->out, s->count)) {
        speech__give_up(s, n ? VOICE_OVER_BUDGET : VOICE_FAILED);
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
    speech__give_up(s, VOICE_FAILED);
}

void speech__on_said(void *ctx, const struct err *failed)
{
    struct speech *s = ctx;

    s->task = NULL;
    if (failed && !s->bad)
        speech__give_up(s, failed->code == ERR_NOMEM ? VOICE_OVER_BUDGET : VOICE_FAILED);
    if (!s->bad && !s->ops->quick) {
        begin_encoding(s);
    } else if (!s->bad) {
        if (s->want.format == VOICE_WAV && !s->want.joined)
            voice_wav_finish(s->file.data, s->file.len);
        s->whole = true;
    }
    speech__pump(s);
}
