/* A line by a request of its own: POST /tts/bytes, whose answer is the samples as they come. */
#include "voice/cartesia_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void cartesia__http_stop(struct cartesia_talk *t)
{
    if (t->call)
        http_call_cancel(t->call);
    t->call = NULL;
    buf_release(&t->body);
    buf_release(&t->refusal);
    t->refusal.max = CARTESIA_REFUSAL_MAX;
}

void cartesia__http_hold(struct cartesia_talk *t, bool held)
{
    if (t->call)
        http_call_pause(t->call, held);
}

/* An answer that says it is a text has no samples in it. */
static bool is_text(struct str type)
{
    return (type.len >= 5 && memcmp(type.data, "text/", 5) == 0) ||
           (type.len >= 16 && memcmp(type.data, "application/json", 16) == 0);
}

static void on_header(void *ctx, int status, struct str name, struct str value)
{
    struct cartesia_talk *t = ctx;
    char text[16];
    double s;

    if (status == 200 && str_eq_nocase(name, "content-type"))
        t->strange = is_text(value);
    if (!str_eq_nocase(name, "retry-after") || value.len >= sizeof(text))
        return;
    snprintf(text, sizeof(text), "%.*s", STR_FMT(value));
    if (str_to_double(text, &s) && s >= 0 && s < 1e6)
        t->retry_ms = (int64_t)(s * 1000);
}

static void on_data(void *ctx, int status, const char *data, size_t len)
{
    struct cartesia_talk *t = ctx;

    cartesia__enter(t);
    if (status != 200)
        buf_add(&t->refusal, data, len);
    else if (!t->strange)
        cartesia__audio(t, data, len);
    cartesia__leave(t);
}

static enum voice_asked outcome_of(enum http_lost lost)
{
    switch (lost) {
    case HTTP_LOST_FIRST_MS:
    case HTTP_LOST_BETWEEN_MS:
    case HTTP_LOST_WHOLE_MS:
        return VOICE_ASKED_TIMEOUT;
    case HTTP_LOST_CUT:
        return VOICE_ASKED_CUT;
    default:
        return VOICE_ASKED_UNREACHABLE;
    }
}

static void refused(struct cartesia_talk *t, int status)
{
    char code[48], why[80];

    cartesia__code(buf_text(&t->refusal), t->refusal.len, code, sizeof(code));
    snprintf(why, sizeof(why), "it answers %d%s%s", status, code[0] ? " " : "", code);
    cartesia__lost(t,
                   status == 429  ? VOICE_ASKED_LIMITED
                   : status < 500 ? VOICE_ASKED_REFUSED
                                  : VOICE_ASKED_FAILED,
                   status, why);
}

static void on_end(void *ctx, int status, enum http_lost lost, const struct err *e)
{
    struct cartesia_talk *t = ctx;

    t->call = NULL;
    cartesia__enter(t);
    if (lost != HTTP_LOST_NONE) {
        t->not_taken = lost == HTTP_LOST_REFUSED;
        cartesia__lost(t, outcome_of(lost), 0, e->msg);
    } else if (status != 200) {
        refused(t, status);
    } else if (t->strange) {
        cartesia__lost(t, VOICE_ASKED_MALFORMED, 0, "its answer is not audio");
    } else if (cartesia__first(t)->samples == 0) {
        cartesia__lost(t, VOICE_ASKED_MALFORMED, 0, "it sent no audio");
    } else {
        cartesia__settle(t, VOICE_ASKED_OK, 200);
        cartesia__http_stop(t);
        cartesia__said(t);
        if (!t->gone && !list_empty(&t->tasks))
            cartesia__later(t, 0);
    }
    cartesia__leave(t);
}

static void send_request(struct cartesia_talk *t)
{
    const struct voice_cfg *cfg = t->provider->cfg;
    static const char version[] = "Cartesia-Version: " CARTESIA_VERSION;
    struct buf key = BUF_INIT;
    struct err e = {0};

    cartesia__key_header(t, &key);
    const char *const headers[] = {"Content-Type: application/json", "Accept: audio/*", version,
                                   buf_text(&key), NULL};
    const struct http_ask ask = {
        .url = t->provider->http_url,
        .headers = headers,
        .body = {t->body.data, t->body.len},
        .connect_ms = cfg->connect_ms,
        .first_ms = cfg->first_ms,
        .between_ms = cfg->between_ms,
        .on_header = on_header,
        .on_data = on_data,
        .on_end = on_end,
        .ctx = t,
    };
    if (key.full || http_call_start(cfg->http, &ask, &t->call, &e) < 0)
        cartesia__lost(t, VOICE_ASKED_UNREACHABLE, 0, "it cannot be asked");
    buf_wipe(&key);
}

void cartesia__http_ask(struct cartesia_talk *t)
{
    struct voice_task *k = cartesia__first(t);
    const struct cartesia_say say = {.how = &t->provider->cfg->how, .text = {k->text, k->len}};

    t->wire = VOICE_HTTP;
    t->strange = false;
    t->retry_ms = 0;
    if (!cartesia__try(t, VOICE_HTTP)) {
        cartesia__lost(t, VOICE_ASKED_SKIPPED, 0,
                       "it has failed several times and is left alone for a while");
        return;
    }
    cartesia__write(&say, &t->body);
    if (t->body.full) {
        cartesia__lost(t, VOICE_ASKED_UNREACHABLE, 0, "no memory for a request");
        return;
    }
    send_request(t);
    if (t->call && k->held)
        http_call_pause(t->call, true);
}
