/*
 * Cartesia, a voice that is asked over the network. Here are its speeches and their lines, and
 * what is done when it does not answer; how it is asked is in cartesia_http.c and
 * cartesia_ws.c.
 */
#include "voice/cartesia_int.h"

#include "base/alloc.h"
#include "base/log.h"

#include <stdlib.h>
#include <string.h>

/* What a speech costs besides its audio: about a connection of libcurl (measured). */
#define TALK_BYTES ((size_t)26 * 1024)
#define AHEAD 4
#define BLOCK_SAMPLES 2048 /* are told at a time */
#define BREAKER_FAILURES 5
#define BREAKER_FIRST_MS 5000
#define BREAKER_MOST_MS 120000
#define RETRY_FIRST_MS 300
#define RETRY_MOST_MS 2000
#define RETRY_LONGEST_MS 2000 /* nobody waits longer in silence: another voice speaks */
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

/* Asking. */

bool cartesia__try(struct cartesia_talk *t, enum voice_wire wire)
{
    struct voice_provider *p = t->provider;

    if (!t->key.len && !breaker_try(&p->breaker, cartesia__now(p))) {
        p->asks->outcomes[wire][VOICE_ASKED_SKIPPED]++;
        return false;
    }
    t->asking = true;
    t->wire = wire;
    t->heard_ms = cartesia__now(p);
    return true;
}

/* Is Cartesia itself to blame, so that others need not ask it now? */
static bool to_blame(enum voice_asked o, int status)
{
    switch (o) {
    case VOICE_ASKED_FAILED:
    case VOICE_ASKED_UNREACHABLE:
    case VOICE_ASKED_TIMEOUT:
    case VOICE_ASKED_CUT:
    case VOICE_ASKED_MALFORMED:
        return true;
    case VOICE_ASKED_REFUSED: /* a key, or a voice, that is wrong for everybody */
        return status >= 401 && status <= 404;
    default:
        return false;
    }
}

void cartesia__settle(struct cartesia_talk *t, enum voice_asked o, int status)
{
    struct voice_provider *p = t->provider;
    int64_t now = cartesia__now(p);

    if (!t->asking)
        return;
    t->asking = false;
    p->asks->outcomes[t->wire][o]++;
    if (t->key.len)
        return;
    if (to_blame(o, status))
        breaker_bad(&p->breaker, now);
    else if (o == VOICE_ASKED_STOPPED)
        breaker_dropped(&p->breaker);
    else
        breaker_good(&p->breaker);
    if (o == VOICE_ASKED_LIMITED && t->retry_ms > RETRY_LONGEST_MS)
        breaker_rest(&p->breaker, now + t->retry_ms);
}

/* Who refused the one before is asked again. */
void cartesia__key_changed(struct voice_provider *p)
{
    breaker_good(&p->breaker);
    breaker_good(&p->ws_breaker);
    cartesia__ws_retire(p);
}

static void look_at(struct voice_provider *p)
{
    p->asks->breaker = (int)breaker_state(&p->breaker, cartesia__now(p));
}

void cartesia__key_header(const struct cartesia_talk *t, struct buf *out)
{
    const char *key = t->provider->cfg->cartesia_key;

    buf_reserve(out, 1024); /* so that no copy of it is left behind by growing */
    if (t->key.len)
        buf_printf(out, "Authorization: Bearer %.*s", STR_FMT(t->key));
    else
        buf_printf(out, "Authorization: Bearer %s", key ? key : "");
}

/* Everything that was asked fails; the speech decides what then. */
static void fail(struct cartesia_talk *t, const char *why)
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

/* What is to be done with the lines that wait. */
static void go_on(struct cartesia_talk *t)
{
    if (t->gone || t->later || (list_empty(&t->tasks) && !t->id[0]))
        return;
    if (!t->by_http && cartesia__ws_push(t))
        return;
    if (!t->call && !list_empty(&t->tasks))
        cartesia__http_ask(t);
}

static void on_later(void *ctx)
{
    struct cartesia_talk *t = ctx;

    loop_timer_free(&t->later);
    cartesia__enter(t);
    go_on(t);
    cartesia__leave(t);
}

void cartesia__later(struct cartesia_talk *t, int64_t ms)
{
    if (t->later)
        return;
    t->later = loop_try_after(t->provider->cfg->loop, ms, on_later, t);
    if (!t->later)
        fail(t, "no memory for a request");
}

/* What the socket is to blame for may go well over HTTP. */
static bool elsewhere(const struct cartesia_talk *t, enum voice_asked o)
{
    return t->wire == VOICE_SOCKET && (o == VOICE_ASKED_CUT || o == VOICE_ASKED_MALFORMED);
}

/* The pause before another try, or -1. */
static int64_t pause_of(const struct cartesia_talk *t, enum voice_asked o, int status)
{
    const struct voice_provider *p = t->provider;
    bool again = o == VOICE_ASKED_LIMITED || o == VOICE_ASKED_CUT || t->not_taken ||
                 (o == VOICE_ASKED_FAILED && status >= 500) || status == 408;
    int64_t pause = breaker_pause_ms(t->tries + 1, RETRY_FIRST_MS, RETRY_MOST_MS,
                                     (p->seed + t->speech) >> t->tries);

    if (elsewhere(t, o))
        return 0;
    if (t->retry_ms > pause)
        pause = t->retry_ms;
    return again && t->tries < p->cfg->retries && pause <= RETRY_LONGEST_MS ? pause : -1;
}

/* A line that is asked for again comes from its beginning. */
static void rewind_lines(struct cartesia_talk *t)
{
    LIST_EACH(at, after, &t->tasks)
    {
        struct voice_task *k = LIST_ITEM(at, struct voice_task, link);
        k->skip = k->samples;
        k->pushed = false;
    }
    t->has_odd = false;
}

void cartesia__lost(struct cartesia_talk *t, enum voice_asked o, int status, const char *why)
{
    int64_t pause = pause_of(t, o, status);

    t->not_taken = false;
    cartesia__settle(t, o, status);
    log_info("voice", "lost", "voice=cartesia over=%s outcome=%s status=%d try=%u why=\"%s\"",
             t->wire == VOICE_SOCKET ? "websocket" : "http", voice_asked_text(o), status,
             t->tries + 1, why);
    cartesia__http_stop(t);
    cartesia__ws_leave(t);
    rewind_lines(t);
    if (pause < 0) {
        fail(t, why);
        return;
    }
    t->by_http = true; /* for what is left of the speech */
    if (!elsewhere(t, o)) {
        t->tries++;
        t->provider->asks->retries++;
    }
    cartesia__later(t, pause);
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
    if (!t->later) /* nothing is told inside */
        t->later = loop_try_after(p->cfg->loop, 0, on_later, t);
    if (!t->later) {
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
        rewind_lines(t);
        if (!list_empty(&t->tasks) && !t->later)
            t->later = loop_try_after(t->provider->cfg->loop, 0, on_later, t);
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
