/*
 * Cartesia, a voice that is asked over the network. Here are its speeches and their lines, and
 * what is heard of them; whether it is asked for them is in cartesia_ask.c, how in
 * cartesia_http.c and cartesia_ws.c.
 */
#include "voice/cartesia_int.h"

#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

/* What a speech costs besides its audio: about a connection of libcurl (measured). */
#define TALK_BYTES ((size_t)26 * 1024)
#define AHEAD 4
#define BLOCK_SAMPLES 2048 /* are told at a time */
#define BREAKER_FAILURES 5
#define BREAKER_FIRST_MS 5000
#define BREAKER_MOST_MS 120000
#define SWEEP_MS 250
#define SWEEP_IDLE_MS 10000

int64_t cartesia__now(const struct voice_provider *p)
{
    return loop_now(p->cfg->loop);
}

/* A talk's life. */

static void talk_free(struct cartesia_talk *t)
{
    cartesia__http_stop(t);
    cartesia__ws_leave(t);
    loop_timer_free(&t->later);
    list_remove(&t->link);
    buf_release(&t->refusal);
    free(t->visemes);
    free(t);
}

static void look(struct cartesia_talk *t)
{
    if (!t->gone || t->inside)
        return;
    cartesia__settle(t, t->pending ? VOICE_ASKED_STOPPED : VOICE_ASKED_OK, 0);
    talk_free(t);
}

void cartesia__enter(struct cartesia_talk *t)
{
    t->inside++;
}

void cartesia__leave(struct cartesia_talk *t)
{
    t->inside--;
    look(t);
}

/* Nobody waits for anything of it any more? */
static void maybe_gone(struct cartesia_talk *t)
{
    t->gone |= t->ended && list_empty(&t->tasks);
    look(t);
}

static void task_free(struct voice_task *k)
{
    list_remove(&k->link);
    free(k);
}

void cartesia__fail(struct cartesia_talk *t, const char *why)
{
    struct list all;
    struct err e;

    err_set(&e, ERR_VOICE, 0, "%s", why);
    cartesia__http_stop(t);
    cartesia__ws_leave(t);
    loop_timer_free(&t->later);
    t->tries = 0;
    t->by_http = false;
    list_init(&all);
    list_append_all(&all, &t->tasks);
    while (!list_empty(&all)) { /* each may stop others, which are in the list then */
        struct voice_task *k = LIST_ITEM(all.next, struct voice_task, link);
        struct voice_ear ear = k->ear;
        task_free(k);
        ear.said(ear.ctx, &e);
    }
    maybe_gone(t);
}

void cartesia__rewind(struct cartesia_talk *t)
{
    LIST_EACH(at, after, &t->tasks)
    {
        struct voice_task *k = LIST_ITEM(at, struct voice_task, link);
        k->skip = k->samples;
        k->pushed = false;
    }
    t->has_odd = false;
}

/* What comes. */

bool cartesia__still(const struct cartesia_talk *t, uint64_t serial)
{
    const struct voice_task *k = cartesia__first(t);

    return k && k->serial == serial;
}

/* So many samples of the first line; false: it was stopped meanwhile. */
static bool tell(struct cartesia_talk *t, struct voice_task *k, const int16_t *samples,
                 size_t n)
{
    size_t skip = n < k->skip ? n : k->skip;
    uint64_t serial = k->serial;

    k->skip -= skip;
    if (n == skip)
        return true;
    k->samples += n - skip;
    k->ear.heard(k->ear.ctx, samples + skip, n - skip, NULL, 0);
    return cartesia__still(t, serial);
}

void cartesia__audio(struct cartesia_talk *t, const char *data, size_t len)
{
    struct voice_task *k = cartesia__first(t);
    const unsigned char *p = (const unsigned char *)data;
    int16_t block[BLOCK_SAMPLES];
    size_t n = 0;

    t->heard_ms = cartesia__now(t->provider);
    for (size_t i = 0; k && i < len; i++) {
        if (!t->has_odd) {
            t->odd = p[i];
            t->has_odd = true;
            continue;
        }
        t->has_odd = false;
        block[n++] = (int16_t)(uint16_t)(t->odd | (unsigned)p[i] << 8); /* little end first */
        if (n < BLOCK_SAMPLES)
            continue;
        if (!tell(t, k, block, n))
            return;
        n = 0;
    }
    if (k && n)
        tell(t, k, block, n);
}

void cartesia__said(struct cartesia_talk *t)
{
    struct voice_task *k = cartesia__first(t);
    struct voice_ear ear = k->ear;

    t->has_odd = false;
    t->tries = 0;
    if (k->samples == 0) {
        cartesia__lost(t, VOICE_ASKED_MALFORMED, 0, "it sent no audio");
        return;
    }
    task_free(k);
    ear.said(ear.ctx, NULL);
    t->gone |= t->ended && list_empty(&t->tasks);
}

/* A few times a second as long as there is something: silence is an end, too. */
static void watch(struct voice_provider *p);

static void on_sweep(void *ctx)
{
    struct voice_provider *p = ctx;

    loop_timer_free(&p->sweep);
    cartesia__ws_sweep(p);
    watch(p);
}

static void watch(struct voice_provider *p)
{
    bool busy = !list_empty(&p->talks);

    if (!p->sweep && (busy || !list_empty(&p->sockets)))
        p->sweep = loop_try_after(p->cfg->loop, busy ? SWEEP_MS : SWEEP_IDLE_MS, on_sweep, p);
}

/* The voice. */

static struct cartesia_talk *find(struct voice_provider *p, uint64_t speech)
{
    LIST_EACH(at, after, &p->talks)
    {
        struct cartesia_talk *t = LIST_ITEM(at, struct cartesia_talk, link);
        if (t->speech == speech && !t->gone)
            return t;
    }
    return NULL;
}

static struct cartesia_talk *talk_new(struct voice_provider *p, const struct voice_line *line)
{
    struct cartesia_talk *t = calloc(1, sizeof(*t));

    if (!t)
        return NULL;
    t->provider = p;
    t->speech = line->speech;
    t->key = line->key;
    t->refusal.max = CARTESIA_REFUSAL_MAX;
    list_init(&t->tasks);
    list_init(&t->member);
    list_append(&p->talks, &t->link);
    return t;
}

static struct voice_task *start(struct voice_provider *p, const struct voice_line *line,
                                const struct voice_ear *ear)
{
    struct voice_task *k = calloc(1, sizeof(*k) + line->text.len);
    struct cartesia_talk *t = k ? find(p, line->speech) : NULL;

    if (k && !t)
        t = talk_new(p, line);
    if (!t) {
        free(k);
        return NULL;
    }
    k->talk = t;
    k->ear = *ear;
    k->serial = ++p->serials;
    k->len = line->text.len;
    memcpy(k->text, line->text.data, k->len);
    if (!cartesia__try_later(t, 0)) { /* nothing is told inside */
        free(k);
        t->gone = list_empty(&t->tasks);
        look(t);
        return NULL;
    }
    list_append(&t->tasks, &k->link);
    watch(p);
    return k;
}

static void stop(struct voice_task *k)
{
    struct cartesia_talk *t = k->talk;
    bool asked = k->pushed || (t->call && k == cartesia__first(t));

    task_free(k);
    if (asked) { /* the lines behind it need another context, if they are not stopped as well */
        cartesia__settle(t, VOICE_ASKED_STOPPED, 0);
        cartesia__http_stop(t);
        cartesia__ws_leave(t);
        cartesia__rewind(t);
        if (!list_empty(&t->tasks))
            cartesia__try_later(t, 0);
    }
    maybe_gone(t);
}

static void hold(struct voice_task *k, bool held)
{
    struct cartesia_talk *t = k->talk;

    k->held = held;
    cartesia__enter(t);
    if (t->call && k == cartesia__first(t))
        cartesia__http_hold(t, held);
    else
        cartesia__ws_hold(t);
    cartesia__leave(t);
}

static void over(struct voice_provider *p, uint64_t speech)
{
    struct cartesia_talk *t = find(p, speech);

    if (!t)
        return;
    t->ended = true;
    cartesia__enter(t);
    if (t->id[0] && !list_empty(&t->tasks) && !t->later)
        cartesia__ws_push(t);
    cartesia__leave(t);
    maybe_gone(t);
}

static void look_at(struct voice_provider *p)
{
    p->asks->breaker = (int)breaker_state(&p->breaker, cartesia__now(p));
}

static int load(struct voice_provider *p, uint32_t *ret_rate, struct err *e)
{
    *ret_rate = CARTESIA_RATE;
    return p->cfg->cartesia_key ? http_client_load(p->cfg->http, e) : 0;
}

static struct voice_provider *make(const struct voice_cfg *cfg, struct voice_asks *asks)
{
    struct voice_provider *p = xalloc(sizeof(*p));
    int len = (int)strlen(cfg->cartesia_url);
    bool tls = strncmp(cfg->cartesia_url, "https:", 6) == 0;
    const char *host = strstr(cfg->cartesia_url, "://");

    while (len && cfg->cartesia_url[len - 1] == '/')
        len--;
    p->cfg = cfg;
    p->asks = asks;
    p->http_url = xprintf("%.*s/tts/bytes", len, cfg->cartesia_url);
    if (host && len > host - cfg->cartesia_url)
        p->ws_url = xprintf("%s%.*s/tts/websocket?cartesia_version=" CARTESIA_VERSION,
                            tls ? "wss" : "ws", len - (int)(host - cfg->cartesia_url), host);
    list_init(&p->talks);
    list_init(&p->sockets);
    breaker_init(&p->breaker, BREAKER_FAILURES, BREAKER_FIRST_MS, BREAKER_MOST_MS);
    breaker_init(&p->ws_breaker, 2, BREAKER_FIRST_MS, BREAKER_MOST_MS);
    p->seed = cfg->seed;
    return p;
}

static void provider_free(struct voice_provider *p)
{
    MUST(list_empty(&p->talks));
    cartesia__ws_close(p);
    loop_timer_free(&p->sweep);
    free(p->http_url);
    free(p->ws_url);
    free(p);
}

const struct voice_ops voice__cartesia = {
    .name = "cartesia",
    .streams = true,
    .ahead = AHEAD,
    .bytes = TALK_BYTES,
    .load = load,
    .make = make,
    .start = start,
    .stop = stop,
    .hold = hold,
    .over = over,
    .look = look_at,
    .free = provider_free,
};
