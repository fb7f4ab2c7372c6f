/* Maya's turns on a WebSocket, and her speech. */
#include "api/socket_int.h"

#include "base/log.h"
#include "ops/ops.h"

#include <stdlib.h>
#include <string.h>

static void begin_turn(struct conversation *v);

/* Nothing is said any more; the next may begin. */
static void quiet(struct conversation *v)
{
    v->told = false;
    v->events.at = (struct api_place){0};
    api__talker_remove(&v->talker);
    if (v->over)
        return;
    if (v->next.len) {
        buf_clear(&v->text);
        buf_add(&v->text, v->next.data, v->next.len);
        buf_clear(&v->next);
        begin_turn(v);
    } else if (v->draining) {
        ws_close(v->ws, WS_GOING_AWAY, "the server is shutting down");
    }
}

static void tell_interrupted(struct conversation *v, bool undone)
{
    struct api_events *ev = &v->events;

    if (v->over)
        return;
    if (v->api->cfg.ops)
        ops_count_interruption(v->api->cfg.ops);
    buf_clear(&ev->pending);
    api__event_open(ev, "interrupted");
    buf_printf(&ev->line, ", \"undone\": %s", undone ? "true" : "false");
    api__event_send(ev);
}

/* The person has enough: what is not committed is undone, what is stands and is not said. */
static void hush(struct api_talker *talker, struct api_hushed *did)
{
    struct conversation *v = LIST_ITEM(talker, struct conversation, talker);
    struct turn *turn = v->turn;
    bool stoppable = turn && turn_can_stop(turn), speaks = v->talk.speech != NULL;

    socket__enter(v);
    did->speeches += speaks && !stoppable;
    api__talk_stop(&v->talk, VOICE_STOPPED);
    v->events.talk = NULL; /* no audio_end either */
    if (stoppable) {
        did->turns++;
        v->turn = NULL;
        turn_stop(turn);
    }
    if (stoppable || speaks)
        tell_interrupted(v, stoppable);
    if (!v->turn)
        quiet(v);
    socket__leave(v);
}

struct api_hushed socket__hush(struct conversation *v)
{
    return api__hush(v->api, v->id);
}

/* Speech. */

static size_t on_audio(struct api_talk *t, const struct speech_chunk *chunk)
{
    struct conversation *v = LIST_ITEM(t, struct conversation, talk);

    return v->over ? 0 : api__event_audio(&v->events, chunk, v->format);
}

static void end_spoken(struct conversation *v)
{
    if (!v->over)
        api__event_audio_end(&v->events, &v->talk);
    quiet(v);
}

static void on_spoken(struct api_talk *t)
{
    struct conversation *v = LIST_ITEM(t, struct conversation, talk);

    socket__enter(v);
    if (v->told)
        end_spoken(v);
    socket__leave(v);
}

void socket__room(struct conversation *v)
{
    socket__enter(v);
    api__talk_room(&v->talk);
    socket__leave(v);
}

static void begin_talk(struct conversation *v, const struct session *s)
{
    struct voice *voice = v->api->cfg.voice;

    v->talk.outcome = VOICE_FAILED;
    v->talk.voice = VOICE__COUNT;
    v->talk.audio = on_audio;
    v->talk.ended = on_spoken;
    v->events.talk = &v->talk;
    if (voice && *voice_name_own(voice) &&
        !api__talk_begin(&v->talk, v->api, s, v->format, false))
        log_debug("api", "silent", "session=%s", log_id(v->id));
}

/* What the turn tells. */

static void on_opened(void *ctx, const struct session *s, uint32_t turn)
{
    struct conversation *v = ctx;

    if (v->over)
        return;
    v->known = true;
    socket__bind(v, s);
    v->events.at = (struct api_place){.turn = turn};
    v->events.talk = NULL;
    v->events.talking = false;
    buf_clear(&v->events.pending);
    if (v->voiced)
        begin_talk(v, s);
}

static void on_text(void *ctx, const char *data, size_t len)
{
    struct conversation *v = ctx;

    if (!v->over)
        api__event_text(&v->events, data, len);
}

static void on_done(void *ctx, const struct turn_done *d)
{
    struct conversation *v = ctx;

    socket__enter(v);
    v->turn = NULL;
    if (!v->over)
        api__event_complete(&v->events, d);
    v->told = true;
    if (v->talk.speech && v->next.len) { /* that came first */
        api__talk_stop(&v->talk, VOICE_STOPPED);
        tell_interrupted(v, false);
        quiet(v);
    } else if (v->talk.speech) {
        speech_finish(v->talk.speech); /* on_spoken() goes on */
    } else if (v->events.talk) {
        end_spoken(v);
    } else {
        quiet(v);
    }
    socket__leave(v);
}

static void on_fail(void *ctx, const struct session *s, const struct err *e)
{
    struct conversation *v = ctx;

    (void)s;
    socket__enter(v);
    v->turn = NULL;
    api__talk_stop(&v->talk, VOICE_STOPPED);
    socket__error(v, e);
    quiet(v);
    socket__leave(v);
}

/* v->text is what was said. */
static void begin_turn(struct conversation *v)
{
    const struct turn_sink sink = {v, on_opened, on_text, on_done, on_fail};
    const struct turn_request request = {
        .session_id = v->id,
        .text = {v->text.data, v->text.len},
        .charge = v->text.len,
        .idempotency_key = {"", 0},
        .started_ns = loop_hrtime_ns(),
    };
    struct turn *turn = NULL;

    v->talker.hush = hush;
    if (v->text.full || !api__talker_add(v->api, &v->talker, v->id)) {
        buf_clear(&v->text);
        socket__error_code(v, ERR_NOMEM, NULL);
        return;
    }
    socket__enter(v);
    v->events.at = (struct api_place){0};
    turn_start(v->api->cfg.agent, &request, &sink, &turn);
    if (turn)
        v->turn = turn;
    if (turn && v->over) { /* gone meanwhile */
        v->turn = NULL;
        turn_stop(turn);
        api__talker_remove(&v->talker);
    }
    socket__leave(v);
}

void socket__say(struct conversation *v, struct str text)
{
    socket__enter(v);
    socket__hush(v);
    if (v->over || v->draining) {
        if (!v->over)
            socket__error_code(v, ERR_DRAINING, NULL);
    } else if (v->turn) { /* it is being committed, and this comes next */
        if (v->next.len)
            socket__error_code(v, ERR_BUSY_TURN, NULL);
        else
            buf_add(&v->next, text.data, text.len);
        if (v->next.full) {
            buf_clear(&v->next);
            socket__error_code(v, ERR_NOMEM, NULL);
        }
    } else {
        buf_clear(&v->text);
        buf_add(&v->text, text.data, text.len);
        begin_turn(v);
    }
    socket__leave(v);
}

void socket__turn_end(struct conversation *v)
{
    struct turn *turn = v->turn;

    v->turn = NULL;
    if (turn)
        turn_stop(turn);
    api__talk_stop(&v->talk, VOICE_STOPPED);
    api__talker_remove(&v->talker);
}
