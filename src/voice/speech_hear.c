/*
 * What is heard of a line: charged before it is there, kept until its turn comes, and given up
 * when there is no room for it. Of the first line it goes straight into the file where the
 * encoder is a mere copy.
 */
#include "voice/speech_int.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK_SAMPLES 512 /* of another rate are made at a time */

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

/* Its life. */

void speech__give_up(struct line *l, enum voice_outcome why)
{
    struct speech *s = l->speech;

    if (!l->bad && why == VOICE_FAILED)
        str_copy(s->failed, sizeof(s->failed), "its audio is of no use");
    if (!l->bad)
        l->why = why;
    l->bad = true;
}

void speech__hush(struct line *l)
{
    struct voice_task *task = l->task;

    l->task = NULL;
    l->said = true;
    if (task)
        speech__ops(l->speech)->stop(task);
}

void speech__drop_audio(struct line *l)
{
    free(l->samples);
    free(l->visemes);
    l->samples = NULL;
    l->visemes = NULL;
    l->kept = l->viseme_count = l->count = 0;
    l->at = 0;
    speech__put_down(l->speech, l->held);
    l->held = 0;
}

void speech__drop_line(struct line *l)
{
    speech__drop_audio(l);
    speech__put_down(l->speech, l->cost);
    list_remove(&l->link);
    free(l);
}

/* Hearing. */

/* Room for more of an array that is charged; NULL: given up. */
static void *grow(struct line *l, void *array, size_t old, size_t more)
{
    if (!speech_carry(l->speech, more + (array ? 0 : SPEECH_BLOCK))) {
        speech__give_up(l, VOICE_OVER_BUDGET);
        return NULL;
    }
    l->held += more + (array ? 0 : SPEECH_BLOCK);
    void *grown = realloc(array, old + more);
    if (!grown)
        speech__give_up(l, VOICE_OVER_BUDGET);
    return grown;
}

static void keep_visemes(struct line *l, const struct voice_viseme *v, size_t n)
{
    if (l->speech->want.joined || n == 0)
        return;
    struct voice_viseme *more =
        grow(l, l->visemes, l->viseme_count * sizeof(*v), n * sizeof(*v));
    if (!more)
        return;
    memcpy(more + l->viseme_count, v, n * sizeof(*v));
    l->visemes = more;
    l->viseme_count += n;
}

static void hear(struct line *l, const int16_t *samples, size_t count)
{
    struct speech *s = l->speech;
    uint32_t rate = s->want.joined && s->rate ? s->rate : s->voice->seats[s->by].rate;

    if (l->bad || count == 0)
        return;
    if (l->count + count > (size_t)rate * VOICE_SECONDS_MAX) {
        speech__give_up(l, VOICE_FAILED);
        str_copy(s->failed, sizeof(s->failed), "a sentence does not end");
        return;
    }
    l->count += count;
    if (s->ops->quick && l == speech__front(s) && !l->kept) {
        speech__encode_now(l, samples, count);
        return;
    }
    int16_t *more = grow(l, l->samples, l->kept * sizeof(*samples), count * sizeof(*samples));
    if (!more)
        return;
    memcpy(more + l->kept, samples, count * sizeof(*samples));
    l->samples = more;
    l->kept += count;
}

/*
 * Another voice goes on in a file that has a rate already: between two samples there is a
 * straight line.
 */
static void hear_at(struct line *l, const int16_t *samples, size_t count, double step)
{
    int16_t out[BLOCK_SAMPLES];
    size_t n = 0;

    /* l->at counts from the sample before these, which is l->edge. */
    for (; l->at < (double)count; l->at += step) {
        size_t i = (size_t)l->at;
        double a = i ? samples[i - 1] : l->edge, part = l->at - (double)i;
        out[n++] = (int16_t)(a + (samples[i] - a) * part);
        if (n == BLOCK_SAMPLES) {
            hear(l, out, n);
            n = 0;
        }
    }
    hear(l, out, n);
    l->at -= (double)count;
    l->edge = count ? samples[count - 1] : l->edge;
}

void speech__on_heard(void *ctx, const int16_t *samples, size_t count,
                      const struct voice_viseme *visemes, size_t viseme_count)
{
    struct line *l = ctx;
    struct speech *s = l->speech;
    uint32_t rate = s->voice->seats[s->by].rate;

    if (l->bad)
        return;
    if (s->want.joined && s->rate && s->rate != rate)
        hear_at(l, samples, count, (double)rate / s->rate);
    else
        hear(l, samples, count);
    if (!l->bad)
        keep_visemes(l, visemes, viseme_count);
    if (!speech__ops(s)->streams)
        return; /* the end comes at once */
    if (l->bad)
        speech__hush(l);
    speech__pump(s);
}

void speech__on_said(void *ctx, const struct err *failed)
{
    struct line *l = ctx;
    struct speech *s = l->speech;

    l->task = NULL;
    l->said = true;
    if (failed && !l->bad) {
        speech__give_up(l, failed->code == ERR_NOMEM ? VOICE_OVER_BUDGET : VOICE_FAILED);
        str_copy(s->failed, sizeof(s->failed), failed->msg);
    }
    speech__pump(s);
}
