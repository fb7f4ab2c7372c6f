/*
 * eSpeak NG, the voice that needs no key and no network. The library keeps one state for the
 * whole process (voice, callback, the text it is at), so there is one synthesis at a time:
 * lines wait in order of arrival, and since a speech has one line there at a time, speeches
 * take turns. It is about five hundred times faster than speech, and begins within a
 * millisecond, so a line is synthesised whole before it is told. The buffer it is put into is
 * ours, not a session's: one, of at most VOICE_SECONDS_MAX.
 *
 * Loading sets LC_CTYPE to C.UTF-8 (the library does), and leaves an idle thread of its own.
 */
#include "voice/voice_int.h"

#include "base/alloc.h"
#include "base/log.h"

#include <espeak-ng/speak_lib.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define BUFFER_MS 100
#define KEEP_BYTES ((size_t)512 * 1024) /* of the buffer, between two lines */
#define VISEMES_MAX 2048                /* of a line */

static struct {
    pthread_mutex_t mutex;          /* the library is anybody's who holds it */
    int rate;                       /* 0: not loaded */
    struct voice_provider *speaker; /* whose voice is set */
    struct voice_task *now;
#define FUNCTION(member, function) __typeof__(function) *member;
#include "voice/espeak.def"
#undef FUNCTION
} lib = {.mutex = PTHREAD_MUTEX_INITIALIZER};

struct voice_task {
    struct list link; /* provider->queue, until it runs */
    struct voice_provider *provider;
    struct voice_ear ear;
    struct loop_job *job;
    atomic_bool stopped;
    bool failed, cut;
    char text[];
};

struct voice_provider {
    struct loop *loop;
    const struct voice_how *how;
    struct list queue[2]; /* lines that begin a speech, and the others */
    struct voice_task *running;
    bool freed;
    bool unknown, strange; /* the voice, its language: to be said */
    /* Of the line that is spoken: the pool's while it runs, ours when it is told. */
    int16_t *samples;
    size_t count, cap;
    struct voice_viseme visemes[VISEMES_MAX];
    size_t viseme_count;
};

static void next(struct voice_provider *p);

/* On the pool, with the mutex. */

static void add_viseme(struct voice_provider *p, const espeak_EVENT *e)
{
    size_t len = strnlen(e->id.string, sizeof(e->id.string));
    uint32_t at = e->audio_position > 0 ? (uint32_t)e->audio_position : 0;
    struct voice_viseme *last = p->viseme_count ? &p->visemes[p->viseme_count - 1] : NULL;
    enum voice_mouth mouth;

    if (!voice__mouth(e->id.string, len, &mouth) || (last && last->mouth == mouth))
        return;
    if (last && at < last->at_ms)
        at = last->at_ms;
    if (last && at == last->at_ms)
        last->mouth = (uint8_t)mouth;
    else if (p->viseme_count < VISEMES_MAX)
        p->visemes[p->viseme_count++] = (struct voice_viseme){at, (uint8_t)mouth};
}

static bool make_room(struct voice_provider *p, size_t n)
{
    size_t cap = p->cap ? p->cap : 65536;

    while (cap < p->count + n)
        cap *= 2;
    if (cap == p->cap)
        return true;
    int16_t *more = realloc(p->samples, cap * sizeof(*more));
    if (!more)
        return false;
    p->samples = more;
    p->cap = cap;
    return true;
}

static int on_audio(short *wav, int count, espeak_EVENT *events)
{
    struct voice_task *t = lib.now;
    struct voice_provider *p = t->provider;
    size_t most = (size_t)lib.rate * VOICE_SECONDS_MAX, n = count > 0 ? (size_t)count : 0;

    if (atomic_load(&t->stopped))
        return 1;
    for (; events->type != espeakEVENT_LIST_TERMINATED; events++)
        if (events->type == espeakEVENT_PHONEME)
            add_viseme(p, events);
    if (!wav || n == 0)
        return 0;
    if (n > most - p->count) {
        n = most - p->count;
        t->cut = true;
    }
    if (!make_room(p, n)) {
        t->failed = true;
        return 1;
    }
    memcpy(p->samples + p->count, wav, n * sizeof(*wav));
    p->count += n;
    return t->cut;
}

static bool voice_there(const char *name)
{
    return name && *name && lib.set_voice(name) == EE_OK;
}

/* A name that is none: the language's own voice speaks, or English. */
static void choose(struct voice_provider *p)
{
    double rate = espeakRATE_NORMAL * p->how->speed;

    lib.speaker = p;
    p->unknown = p->how->name[VOICE_ESPEAK] && !voice_there(p->how->name[VOICE_ESPEAK]);
    if (p->unknown || !p->how->name[VOICE_ESPEAK])
        p->strange = !voice_there(p->how->language) && !voice_there("en");
    if (rate < espeakRATE_MINIMUM)
        rate = espeakRATE_MINIMUM;
    if (rate > espeakRATE_MAXIMUM)
        rate = espeakRATE_MAXIMUM;
    lib.set_parameter(espeakRATE, (int)rate, 0);
}

static void work(void *ctx)
{
    struct voice_task *t = ctx;
    struct voice_provider *p = t->provider;

    pthread_mutex_lock(&lib.mutex);
    p->count = p->viseme_count = 0;
    if (lib.speaker != p)
        choose(p);
    lib.now = t;
    if (!atomic_load(&t->stopped) &&
        lib.synth(t->text, strlen(t->text) + 1, 0, POS_CHARACTER, 0,
                  espeakCHARS_UTF8 | espeakENDPAUSE, NULL, NULL) != EE_OK)
        t->failed = true;
    lib.now = NULL;
    pthread_mutex_unlock(&lib.mutex);
}

/* On the loop. */

static void destroy(struct voice_provider *p)
{
    pthread_mutex_lock(&lib.mutex);
    if (lib.speaker == p)
        lib.speaker = NULL;
    pthread_mutex_unlock(&lib.mutex);
    free(p->samples);
    free(p);
}

static void tell(struct voice_task *t, bool ran)
{
    struct voice_provider *p = t->provider;
    struct err e;

    if (!ran || t->failed || p->count == 0) {
        err_set(&e, ERR_VOICE, 0, "eSpeak NG could not speak a sentence");
        t->ear.said(t->ear.ctx, &e);
        return;
    }
    t->ear.heard(t->ear.ctx, p->samples, p->count, p->visemes, p->viseme_count);
    if (!atomic_load(&t->stopped))
        t->ear.said(t->ear.ctx, NULL);
}

/* Said once: choose() ran on the pool, where nothing is logged. */
static void complain(struct voice_provider *p)
{
    if (p->unknown)
        log_warn("voice", "unknown_voice",
                 "from=\"%s\" name=\"%s\" note=\"eSpeak NG has no such voice, so that of the "
                 "language speaks; espeak-ng --voices lists them\"",
                 p->how->name_from ? p->how->name_from : "", p->how->name[VOICE_ESPEAK]);
    if (p->strange)
        log_warn("voice", "unknown_language", "language=\"%s\"", p->how->language);
    p->unknown = p->strange = false;
}

static void on_worked(void *ctx, bool ran)
{
    struct voice_task *t = ctx;
    struct voice_provider *p = t->provider;

    complain(p);
    if (!atomic_load(&t->stopped))
        tell(t, ran);
    free(t);
    p->running = NULL;
    if (p->freed) {
        destroy(p);
        return;
    }
    if (p->cap * sizeof(*p->samples) > KEEP_BYTES) {
        free(p->samples);
        p->samples = NULL;
        p->cap = p->count = 0;
    }
    next(p);
}

static void next(struct voice_provider *p)
{
    struct list *first;
    struct err e;

    while (!p->running &&
           ((first = list_first(&p->queue[0])) || (first = list_first(&p->queue[1])))) {
        struct voice_task *t = LIST_ITEM(first, struct voice_task, link);
        list_remove(&t->link);
        p->running = t;
        t->job = loop_offload(p->loop, work, on_worked, t);
        if (t->job)
            return;
        err_set(&e, ERR_NOMEM, 0, "%s", err_sentence(ERR_NOMEM));
        t->ear.said(t->ear.ctx, &e);
        p->running = NULL;
        free(t);
    }
}

static struct voice_task *start(struct voice_provider *p, const struct voice_line *line,
                                const struct voice_ear *ear)
{
    struct voice_task *t = calloc(1, sizeof(*t) + line->text.len + 1);

    if (!t)
        return NULL;
    t->provider = p;
    t->ear = *ear;
    memcpy(t->text, line->text.data, line->text.len);
    list_init(&t->link);
    if (p->running) {
        list_append(&p->queue[!line->first], &t->link);
        return t;
    }
    p->running = t;
    t->job = loop_offload(p->loop, work, on_worked, t);
    if (t->job)
        return t;
    p->running = NULL;
    free(t);
    return NULL;
}

static void stop(struct voice_task *t)
{
    if (t->provider->running != t) {
        list_remove(&t->link);
        free(t);
        return;
    }
    if (atomic_exchange(&t->stopped, true))
        return;
    loop_job_cancel(t->job);
}

static int load(struct voice_provider *p, uint32_t *ret_rate, struct err *e)
{
    const struct voice_symbol symbols[] = {
#define FUNCTION(member, function) {#function, &lib.member},
#include "voice/espeak.def"
#undef FUNCTION
    };
    int rc = 0;

    (void)p;
    pthread_mutex_lock(&lib.mutex);
    if (!lib.rate)
        rc = voice__library(LIBRARY_ESPEAK, symbols, ARRAY_LEN(symbols), e);
    if (rc == 0 && !lib.rate) {
        int rate =
            lib.initialize(AUDIO_OUTPUT_SYNCHRONOUS, BUFFER_MS, NULL,
                           espeakINITIALIZE_PHONEME_EVENTS | espeakINITIALIZE_PHONEME_IPA |
                               espeakINITIALIZE_DONT_EXIT);
        if (rate > 0 && (uint32_t)rate <= VOICE_RATE_MAX) {
            lib.set_callback(on_audio);
            lib.rate = rate;
        } else {
            rc =
                err_set(e, ERR_VOICE, 0, "libespeak-ng found no data (Debian: espeak-ng-data)");
        }
    }
    *ret_rate = (uint32_t)lib.rate;
    pthread_mutex_unlock(&lib.mutex);
    return rc;
}

static struct voice_provider *make(const struct voice_cfg *cfg, struct voice_asks *asks)
{
    struct voice_provider *p = xalloc(sizeof(*p));

    (void)asks;
    p->loop = cfg->loop;
    p->how = &cfg->how;
    list_init(&p->queue[0]);
    list_init(&p->queue[1]);
    return p;
}

static void provider_free(struct voice_provider *p)
{
    MUST(list_empty(&p->queue[0]) && list_empty(&p->queue[1]));
    p->freed = true;
    if (!p->running)
        destroy(p);
    else
        stop(p->running);
}

const struct voice_ops voice__espeak = {
    .name = "espeak",
    .load = load,
    .make = make,
    .start = start,
    .stop = stop,
    .free = provider_free,
};
