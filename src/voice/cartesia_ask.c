/*
 * Whether Cartesia is asked for the lines of a speech, over what and with which key: not while
 * it fails, again when another try may help, and no more when that takes too long.
 */
#include "voice/cartesia_int.h"

#include "base/log.h"

#define RETRY_FIRST_MS 300
#define RETRY_MOST_MS 2000
#define RETRY_LONGEST_MS 2000 /* nobody waits longer in silence: another voice speaks */

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

void cartesia__key_header(const struct cartesia_talk *t, struct buf *out)
{
    const char *key = t->provider->cfg->cartesia_key;

    buf_reserve(out, 1024); /* so that no copy of it is left behind by growing */
    if (t->key.len)
        buf_printf(out, "Authorization: Bearer %.*s", STR_FMT(t->key));
    else
        buf_printf(out, "Authorization: Bearer %s", key ? key : "");
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

bool cartesia__try_later(struct cartesia_talk *t, int64_t ms)
{
    if (!t->later)
        t->later = loop_try_after(t->provider->cfg->loop, ms, on_later, t);
    return t->later != NULL;
}

void cartesia__later(struct cartesia_talk *t, int64_t ms)
{
    if (!cartesia__try_later(t, ms))
        cartesia__fail(t, "no memory for a request");
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
    cartesia__rewind(t);
    if (pause < 0) {
        cartesia__fail(t, why);
        return;
    }
    t->by_http = true; /* for what is left of the speech */
    if (!elsewhere(t, o)) {
        t->tries++;
        t->provider->asks->retries++;
    }
    cartesia__later(t, pause);
}
