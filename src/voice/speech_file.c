/*
 * From samples to the file that is given out: a file for each sentence, or one for all. What
 * the encoder may write is charged before it does, and what was given out makes room again.
 */
#include "voice/speech_int.h"

#include <stdlib.h>
#include <string.h>

#define PIECE_MS 200 /* of audio that still streams are worth another thread */

void speech__drop_encoder(struct speech *s)
{
    if (s->encoder)
        s->ops->free(s->encoder);
    s->encoder = NULL;
    s->rate = 0;
}

void speech__drop_file(struct speech *s)
{
    buf_release(&s->file);
    speech__put_down(s, s->file_cost);
    s->file_cost = s->sent = s->chunk_count = 0;
    s->closed = s->sized = false;
    if (!s->want.joined)
        speech__drop_encoder(s);
}

/* Room for so many bytes more, and not rounded up, as a buf does. False: not to be had. */
static bool reserve(struct speech *s, size_t most)
{
    struct buf *f = &s->file;
    size_t left = f->len - s->sent, need = left + most + 1, cost;

    if (s->sent && left)
        memmove(f->data, f->data + s->sent, left);
    f->len = left;
    s->sent = 0;
    if (need <= f->cap)
        return true;
    cost = need - f->cap + (f->data ? 0 : SPEECH_BLOCK);
    if (!speech_carry(s, cost))
        return false;
    s->file_cost += cost;
    char *more = realloc(f->data, need);
    if (!more)
        return false;
    f->data = more;
    f->cap = need;
    f->data[left] = '\0';
    return true;
}

/* What ends in any case is whole then. */
static void give_up(struct line *l, enum voice_outcome why)
{
    l->speech->closed |= l->bad;
    speech__give_up(l, why);
}

/* False: given up. */
static bool open_encoder(struct line *l)
{
    struct speech *s = l->speech;

    if (s->encoder)
        return true;
    s->rate = s->voice->seats[s->by].rate;
    s->encoder = s->ops->open(s->rate);
    if (!s->encoder)
        give_up(l, VOICE_FAILED);
    return s->encoder != NULL;
}

void speech__encode_now(struct line *l, const int16_t *samples, size_t count)
{
    struct speech *s = l->speech;

    if (!open_encoder(l))
        return;
    if (!reserve(s, s->ops->most(count)) || !s->ops->add(s->encoder, samples, count, &s->file))
        give_up(l, VOICE_OVER_BUDGET);
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

/* What was encoded goes behind what was not given out yet. */
static bool append(struct speech *s, struct encode *n)
{
    if (!reserve(s, n->out.len))
        return false;
    if (n->out.len)
        buf_add(&s->file, n->out.data, n->out.len);
    return true;
}

static void on_encoded(void *ctx, bool ran)
{
    struct encode *n = ctx;
    struct speech *s = n->speech;
    struct line *l = s ? speech__front(s) : NULL;
    bool fits = true;

    if (!s) {
        n->ops->free(n->encoder);
        encode_free(n);
        return;
    }
    s->encoding = NULL;
    s->encoder = n->encoder;
    if (s->sent == s->file.len) { /* all was given out: what is new takes its place */
        buf_release(&s->file);
        speech__put_down(s, s->file_cost);
        s->file = n->out;
        s->file_cost = n->out.cap + SPEECH_BLOCK;
        n->cost -= s->file_cost;
        s->sent = 0;
        n->out = (struct buf)BUF_INIT;
        s->file.max = 0;
    } else {
        fits = append(s, n);
    }
    if (!ran || !n->fine || !fits)
        give_up(l, ran && n->fine ? VOICE_OVER_BUDGET : VOICE_FAILED);
    s->closed |= n->last || (l->said && !l->kept);
    speech__put_down(s, n->cost);
    encode_free(n);
    speech__pump(s);
}

/* An encoding with room for what it may write; NULL: given up. */
static struct encode *encode_new(struct line *l)
{
    struct speech *s = l->speech;
    size_t most = s->ops->most(l->kept) + 1;
    struct encode *n;

    if (!speech_carry(s, most + SPEECH_BLOCK)) {
        give_up(l, VOICE_OVER_BUDGET);
        return NULL;
    }
    n = calloc(1, sizeof(*n));
    char *out = n ? malloc(most) : NULL;
    if (!out) {
        speech__put_down(s, most + SPEECH_BLOCK);
        free(n);
        give_up(l, VOICE_OVER_BUDGET);
        return NULL;
    }
    n->out = (struct buf)BUF_INIT;
    n->out.data = out;
    n->out.cap = most;
    n->out.max = most - 1; /* what was charged, and no more */
    buf_clear(&n->out);
    n->cost = most + SPEECH_BLOCK;
    return n;
}

/* Hand the samples to the pool. What the encoder had so far goes with them. */
static void begin_encoding(struct line *l)
{
    struct speech *s = l->speech;
    struct encode *n = open_encoder(l) ? encode_new(l) : NULL;
    size_t moved = l->samples ? l->kept * sizeof(*l->samples) + SPEECH_BLOCK : 0;

    if (!n)
        return;
    n->speech = s;
    n->ops = s->ops;
    n->encoder = s->encoder;
    n->samples = l->samples;
    n->count = l->kept;
    n->last = l->said && !s->want.joined;
    n->cost += moved;
    l->held -= moved;
    l->samples = NULL;
    l->kept = 0;
    s->encoding = n;
    s->encoder = NULL;
    if (loop_offload(s->voice->cfg.loop, encode_work, on_encoded, n))
        return;
    s->encoding = NULL;
    s->encoder = n->encoder;
    speech__put_down(s, n->cost);
    encode_free(n);
    give_up(l, VOICE_OVER_BUDGET);
}

/* The encoder is a copy: what waited for its turn, and the end. */
static bool encode_quickly(struct line *l)
{
    struct speech *s = l->speech;

    if (l->kept) {
        size_t cost = l->kept * sizeof(*l->samples) + SPEECH_BLOCK;
        speech__encode_now(l, l->samples, l->kept);
        free(l->samples);
        l->samples = NULL;
        l->kept = 0;
        l->held -= cost;
        speech__put_down(s, cost);
        return true;
    }
    if (!l->said || s->closed)
        return false;
    if (s->want.format == VOICE_WAV && !s->want.joined && s->chunk_count == 0)
        voice_wav_finish(s->file.data, s->file.len);
    s->closed = true;
    return true;
}

bool speech__encode(struct line *l)
{
    struct speech *s = l->speech;
    size_t piece = (size_t)s->voice->seats[s->by].rate * PIECE_MS / 1000;

    if (s->closed || s->encoding)
        return false;
    if (s->ops->quick)
        return encode_quickly(l);
    if (!l->said && (!speech__ops(s)->streams || l->kept < piece))
        return false;
    if (l->said && !l->kept && (s->want.joined || l->count == 0)) {
        s->closed = true; /* nothing is left to be written */
        return true;
    }
    begin_encoding(l);
    return true;
}

bool speech__tail(struct speech *s)
{
    if (!s->encoder || !s->want.joined)
        return false;
    if (reserve(s, s->ops->most(0)))
        s->closed = s->ops->finish(s->encoder, &s->file);
    return s->closed;
}
