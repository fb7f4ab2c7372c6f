/*
 * What the tests of a speech share: a provider that speaks when it is told to, a voice without
 * seats, and one speech of which all is noted down.
 */
#pragma once

#include "unit/tap.h"
#include "voice/speech_int.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define RATE 1000
#define TASKS 32

struct voice_task {
    struct voice_ear ear;
    char text[500];
    bool stopped, held, over;
};

static struct {
    struct loop *loop;
    struct voice voice;
    struct budget budget;
    struct voice_task tasks[TASKS];
    unsigned started;
    bool no_memory;
    /* what was heard */
    char log[8000];
    struct buf data;
    unsigned ended;
    enum voice_outcome outcome;
    char why[160];
    enum voice_id by;
    struct speech *speech;
    unsigned chunks, stop_at; /* stop at this chunk; 0: never */
    uint64_t now_ns;
} t;

static void note(const char *fmt, ...) PRINTF_LIKE(1, 2);
static void note(const char *fmt, ...)
{
    size_t used = strlen(t.log);
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(t.log + used, sizeof(t.log) - used, fmt, ap);
    va_end(ap);
}

static struct voice_task *fake_start(struct voice_provider *p, const struct voice_line *line,
                                     const struct voice_ear *ear)
{
    struct voice_task *k = &t.tasks[t.started];

    (void)p;
    if (t.no_memory)
        return NULL;
    MUST(t.started++ < TASKS);
    k->ear = *ear;
    snprintf(k->text, sizeof(k->text), "%.*s", STR_FMT(line->text));
    return k;
}

static void fake_stop(struct voice_task *k)
{
    MUST(!k->stopped && !k->over);
    k->stopped = true;
}

static uint64_t now_ns(void)
{
    return t.now_ns += 1000000;
}

static void on_ended(void *ctx, enum voice_outcome o)
{
    (void)ctx;
    t.ended++;
    t.outcome = o;
    t.by = speech_voice(t.speech);
    str_copy(t.why, sizeof(t.why), speech_why(t.speech));
    t.speech = NULL;
}

/* All but the seats. */
static void voice_begin(void)
{
    struct err e;

    memset(&t, 0, sizeof(t));
    CHECK_INT(loop_new(&t.loop, &e), 0);
    t.voice = (struct voice){
        .cfg = {.loop = t.loop, .how = {.language = "en", .speed = 1}, .now_ns = now_ns},
    };
    list_init(&t.voice.speeches);
    histogram_init(&t.voice.stats.first_seconds, histogram_seconds, histogram_seconds_count);
    budget_init(&t.voice.own, 100000, NULL);
}

static void speech_begin(enum voice_format format, bool joined, size_t budget,
                         void (*on_audio)(void *ctx, const struct speech_chunk *c))
{
    const struct speech_sink sink = {&t, on_audio, on_ended};
    const struct speech_want want = {.format = format, .joined = joined, .budget = &t.budget};

    budget_init(&t.budget, budget, NULL);
    t.speech = speech_new(&t.voice, &want, &sink);
}

/* Everything was given back, whatever happened. */
static void over(void)
{
    speech_stop(&t.speech);
    loop_run(t.loop);
    CHECK_INT(t.budget.used, 0);
    CHECK_INT(t.voice.own.used, 0);
    CHECK_INT(t.voice.stats.speeches, 0);
    CHECK(list_empty(&t.voice.speeches));
    buf_release(&t.data);
    loop_free(&t.loop);
}

static void say(const char *text)
{
    speech_say(t.speech, str_of(text));
}

/* The provider has spoken task `i`: so many samples of one value. */
static void heard(unsigned i, size_t count, int16_t value)
{
    static int16_t samples[70000];
    const struct voice_viseme visemes[] = {{0, VOICE_MOUTH_A}, {9, VOICE_MOUTH_CLOSED}};

    if (t.tasks[i].stopped)
        return;
    for (size_t k = 0; k < count; k++)
        samples[k] = value;
    t.tasks[i].ear.heard(t.tasks[i].ear.ctx, samples, count, visemes, ARRAY_LEN(visemes));
}

/* And that is all of it. NULL: it did not fail. */
static void said(unsigned i, const char *failed)
{
    struct err e;

    if (t.tasks[i].stopped)
        return;
    t.tasks[i].over = true;
    if (failed)
        err_set(&e, ERR_VOICE, 0, "%s", failed);
    t.tasks[i].ear.said(t.tasks[i].ear.ctx, failed ? &e : NULL);
}
