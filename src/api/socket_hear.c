/* The microphone of a conversation: whose key, what is heard, and what comes of it. */
#include "api/socket_int.h"

#include "seal/seal.h"

#include <stdlib.h>
#include <string.h>

#define EARLY_MAX ((size_t)256 * 1024) /* audio that comes while the session is looked at */
#define KEY_ROOM ((size_t)1024)

/* What is heard. */

static void on_listening(void *ctx)
{
    struct conversation *v = ctx;

    api__event_open(&v->events, "listening");
    api__event_send(&v->events);
}

/* Whoever talks is to be quiet now. */
static void on_began(void *ctx)
{
    struct conversation *v = ctx;

    socket__enter(v);
    api__event_open(&v->events, "speech_started");
    api__event_send(&v->events);
    socket__hush(v);
    socket__leave(v);
}

static void on_words(void *ctx, struct str text, bool final)
{
    struct conversation *v = ctx;
    struct api_events *ev = &v->events;

    socket__enter(v);
    api__event_open(ev, "transcript");
    api__event_member(ev, "text", text);
    buf_printf(&ev->line, ", \"final\": %s", final ? "true" : "false");
    api__event_send(ev);
    if (final) {
        api__event_open(ev, "speech_ended");
        api__event_send(ev);
        if (text.len)
            socket__say(v, text);
    }
    socket__leave(v);
}

static void on_room(void *ctx)
{
    struct conversation *v = ctx;

    ws_pause(v->ws, false);
}

static void refuse(struct conversation *v, const struct err *e)
{
    v->audio = AUDIO_REFUSED;
    buf_release(&v->early);
    ws_pause(v->ws, false);
    socket__error(v, e);
}

static void on_ended(void *ctx, const struct err *e)
{
    struct conversation *v = ctx;

    v->hearing = NULL;
    socket__enter(v);
    refuse(v, e);
    socket__leave(v);
}

/* Audio. */

static void give(struct conversation *v, struct str data)
{
    struct err e;

    if (!v->hearing)
        return;
    if (hearing_give(v->hearing, data, &e) < 0)
        socket__error(v, &e);
    else if (hearing_full(v->hearing))
        ws_pause(v->ws, true);
}

static void keep_early(struct conversation *v, struct str data)
{
    uint32_t len = (uint32_t)data.len;

    v->early.max = EARLY_MAX;
    buf_add(&v->early, &len, sizeof(len));
    buf_add(&v->early, data.data, data.len);
}

void socket__audio(struct conversation *v, struct str data)
{
    switch (v->audio) {
    case AUDIO_NONE:
        v->audio = AUDIO_REFUSED;
        socket__error_code(v, ERR_INVALID,
                           "Audio begins with {\"type\": \"start\", \"audio\": {\"encoding\": "
                           "\"pcm_s16le\", \"sample_rate\": 16000}}");
        return;
    case AUDIO_LOOKING:
        keep_early(v, data);
        return;
    case AUDIO_HEARD:
        give(v, data);
        return;
    case AUDIO_REFUSED:
        return;
    }
}

static void give_early(struct conversation *v)
{
    struct buf early = v->early;
    uint32_t len;

    v->early = (struct buf)BUF_INIT;
    for (size_t at = 0; !early.full && at + sizeof(len) <= early.len; at += len) {
        memcpy(&len, early.data + at, sizeof(len));
        at += sizeof(len);
        give(v, (struct str){early.data + at, len});
    }
    buf_release(&early);
    if (v->finalize && v->hearing)
        hearing_finalize(v->hearing);
    v->finalize = false;
}

/* Beginning. */

static void begin(struct conversation *v, struct str key)
{
    const struct hearing_sink sink = {v, on_listening, on_began, on_words, on_room, on_ended};
    const struct hearing_want want = {
        .encoding = v->encoding,
        .rate = v->rate,
        .key = key,
        .budget = v->rider.session ? &v->rider.session->budget : NULL,
    };
    struct err e;

    if (!v->api->cfg.ears)
        err_set(&e, ERR_EARS, 0, "%s", err_sentence(ERR_EARS));
    if (!v->api->cfg.ears ||
        hearing_start(v->api->cfg.ears, &want, &sink, &v->hearing, &e) < 0) {
        refuse(v, &e);
        return;
    }
    v->audio = AUDIO_HEARD;
    ws_pause(v->ws, false);
    give_early(v);
}

static void on_looked(struct session_wait *w, struct session *s, const struct err *e)
{
    struct conversation *v = LIST_ITEM(w, struct conversation, wait);
    struct buf key = BUF_INIT;

    socket__enter(v);
    v->waiting = false;
    if (e) {
        refuse(v, e);
    } else {
        buf_reserve(&key, KEY_ROOM); /* so that no copy of it is left behind by growing */
        if (s) {
            socket__bind(v, s);
            if (session_cartesia_key(s, &key, NULL) < 0)
                key.len = 0;
            session_leave(s);
        }
        begin(v, (struct str){buf_text(&key), key.len});
        buf_wipe(&key);
    }
    socket__leave(v);
}

void socket__listen(struct conversation *v)
{
    v->waiting = true;
    v->wait = (struct session_wait){.ready = on_looked};
    ws_pause(v->ws, true);
    agent_look(v->api->cfg.agent, v->id, &v->wait);
}

void socket__deaf(struct conversation *v)
{
    if (v->waiting)
        session_wait_cancel(&v->wait);
    v->waiting = v->finalize = false;
    hearing_stop(&v->hearing);
    buf_release(&v->early);
    v->audio = AUDIO_NONE;
    if (v->ws)
        ws_pause(v->ws, false);
}
