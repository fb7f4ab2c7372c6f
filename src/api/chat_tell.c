/* What a turn over HTTP is answered: whole, as events, and aloud. */
#include "api/chat_int.h"

#include "base/base64.h"
#include "base/json_text.h"
#include "base/log.h"

#include <stdlib.h>
#include <string.h>

void chat__end(struct chat *c)
{
    json_decref(c->body);
    c->body = NULL;
    buf_release(&c->param);
    api__events_release(&c->events);
    api__talk_stop(&c->talk, VOICE_STOPPED);
    api__talker_remove(&c->talker);
    buf_release(&c->held);
    buf_release(&c->audio);
    c->over = true;
    if (!c->inside)
        free(c);
}

void chat__on_gone(void *ctx, struct http_req *req)
{
    struct chat *c = http_req_ctx(req);

    (void)ctx;
    c->req = NULL;
    if (c->waiting)
        session_wait_cancel(&c->wait);
    if (c->turn)
        turn_stop(c->turn);
    else if (c->inside)
        return; /* start_turn() stops it */
    chat__end(c);
}

/* The answer of POST /chat; returns where its audio belongs. */
static size_t write_answer(struct buf *body, const struct turn_done *d, const char *code)
{
    buf_str(body, "{\"response_text\":");
    json_text(body, d->reply.data, d->reply.len, false);
    buf_char(body, ',');
    api__history_text(body, d->session, d->history_count);
    buf_printf(body, ",\"current_order\":%.*s,\"audio_base64\":", STR_FMT(d->order));
    size_t at = body->len;
    buf_printf(body, "null,\"payment_summary\":%.*s,\"quota_error_html\":null",
               STR_FMT(d->summary));
    api__mind_members(body, d->mind, ",");
    if (code)
        buf_printf(body, ",\"code\":\"%s\"", code);
    buf_char(body, '}');
    return at;
}

static void answer(struct chat *c, const struct turn_done *d, const char *code)
{
    struct buf body = BUF_INIT;

    write_answer(&body, d, code);
    api__answer_text(c->req, c->id, &body);
    buf_release(&body);
}

/* An answer that no turn stands behind; the session (NULL: none) stays as it is. */
void chat__answer_aside(struct chat *c, const char *text, const struct session *s,
                        const char *code)
{
    struct buf order = BUF_INIT, summary = BUF_INIT;

    api__tab_texts(s, &order, &summary);
    if (order.full || summary.full)
        api__error_code(c->req, ERR_NOMEM, NULL);
    else
        answer(c,
               &(struct turn_done){
                   .session = s,
                   .reply = str_of(text),
                   .history_count = SIZE_MAX,
                   .order = str_of(order.data),
                   .summary = str_of(summary.data),
               },
               code);
    buf_release(&order);
    buf_release(&summary);
}

/* Speech. */

static size_t on_audio(struct api_talk *t, const struct speech_chunk *chunk)
{
    struct chat *c = LIST_ITEM(t, struct chat, talk);

    if (c->stream)
        return api__event_audio(&c->events, chunk, c->format);
    if (speech_carry(t->speech, 4 * chunk->data.len)) /* as a buf grows, and as base64 */
        buf_add(&c->audio, chunk->data.data, chunk->data.len);
    else
        c->audio.full = true;
    return 0;
}

/* The held answer, with its audio when all of it is there. */
static void answer_held(struct chat *c)
{
    struct buf body = BUF_INIT;
    bool whole = c->talk.outcome == VOICE_SPOKEN && c->audio.len && !c->audio.full;
    size_t rest = c->held_at + strlen("null");

    if (c->format == VOICE_WAV && whole)
        voice_wav_finish(c->audio.data, c->audio.len);
    buf_add(&body, c->held.data, c->held_at);
    if (whole) {
        buf_char(&body, '"');
        base64_add(&body, c->audio.data, c->audio.len);
        buf_char(&body, '"');
    } else {
        buf_str(&body, "null");
    }
    if (!whole)
        c->talk.voice = VOICE__COUNT;
    api__voice_members(&body, &c->talk, ",");
    buf_add(&body, c->held.data + rest, c->held.len - rest);
    api__answer_text(c->req, c->id, body.full ? &c->held : &body);
    buf_release(&body);
}

/* The text was told; now everything that is said was told too. */
static void end_voiced(struct chat *c)
{
    if (c->stream)
        api__event_audio_end(&c->events, &c->talk);
    else
        answer_held(c);
    chat__end(c);
}

/* The text was told: what is left is to be heard. `c` may be gone afterwards. */
void chat__only_talk(struct chat *c)
{
    c->told = true;
    if (c->stream)
        http_req_charge(c->req, NULL); /* the session may be gone before its last word */
    if (c->talk.speech)
        speech_finish(c->talk.speech); /* on_spoken() ends it */
    else
        end_voiced(c);
}

/* A speech that ends before its text only stays silent. */
static void on_spoken(struct api_talk *t)
{
    struct chat *c = LIST_ITEM(t, struct chat, talk);

    if (c->told)
        end_voiced(c);
}

static void on_room(void *ctx, struct http_req *req)
{
    struct chat *c = http_req_ctx(req);

    (void)ctx;
    api__talk_room(&c->talk);
}

void chat__begin_talk(struct chat *c, const struct session *s)
{
    struct voice *v = c->api->cfg.voice;

    c->talk.outcome = VOICE_FAILED;
    c->talk.voice = VOICE__COUNT;
    c->talk.audio = on_audio;
    c->talk.ended = on_spoken;
    if (v && *voice_name_own(v) && !api__talk_begin(&c->talk, c->api, s, c->format, !c->stream))
        log_debug("api", "silent", "session=%s", log_id(c->id));
    if (!c->stream)
        return;
    c->events.talk = &c->talk;
    http_stream_on_room(c->req, on_room);
}

/* The answer is whole but for its audio. */
static void hold_answer(struct chat *c, const struct turn_done *d)
{
    c->held_at = write_answer(&c->held, d, NULL);
    if (c->held.full)
        api__talk_stop(&c->talk, VOICE_FAILED);
    else if (c->talk.speech && !speech_carry(c->talk.speech, c->held.len))
        api__talk_stop(&c->talk, VOICE_OVER_BUDGET);
    api__talk_say(&c->talk, d->reply);
}

/* What the turn tells. */

static void on_opened(void *ctx, const struct session *s, uint32_t turn)
{
    struct chat *c = ctx;

    if (c->stream && c->req) {
        c->begun = true;
        api__events_begin(&c->events, c->req, c->id, turn);
        http_req_charge(c->req,
                        session_budget(s)); /* until fail ends it, or chat__only_talk() */
        api__event_session(&c->events);
    }
    if (c->voiced && c->req)
        chat__begin_talk(c, s);
}

static void on_text(void *ctx, const char *data, size_t len)
{
    struct chat *c = ctx;

    if (c->stream && c->req)
        api__event_text(&c->events, data, len);
}

static void on_done(void *ctx, const struct turn_done *d)
{
    struct chat *c = ctx;

    c->turn = NULL;
    if (c->req && c->stream)
        api__event_complete(&c->events, d);
    else if (c->req && c->voiced)
        hold_answer(c, d);
    else if (c->req)
        answer(c, d, NULL);
    if (c->req && c->voiced)
        chat__only_talk(c);
    else
        chat__end(c);
}

static void say_failed(struct chat *c, const struct session *s, const struct err *e)
{
    if (c->begun) {
        api__event_error(&c->events, e);
    } else if (e->code == ERR_RATE_LIMITED) { /* the predecessor's clients expect 200 */
        http_header(c->req, "Retry-After", "%d", err_retry_after_s(e->code));
        if (c->stream) {
            api__events_begin(&c->events, c->req, c->id, 0);
            api__event_session(&c->events);
            api__event_error(&c->events, e);
        } else {
            chat__answer_aside(c, e->msg, s, err_code_text(e->code));
        }
    } else {
        http_header(c->req, "X-Session-ID", "%s", c->id);
        api__error(c->req, e);
    }
}

static void on_fail(void *ctx, const struct session *s, const struct err *e)
{
    struct chat *c = ctx;

    c->turn = NULL;
    api__talk_stop(&c->talk, VOICE_STOPPED);
    if (c->req)
        say_failed(c, s, e);
    chat__end(c);
}

/* The person has enough: what is not committed is undone, what is stands and is not said. */
void chat__hush(struct api_talker *talker, struct api_hushed *did)
{
    struct chat *c = LIST_ITEM(talker, struct chat, talker);
    struct turn *turn = c->turn;
    struct err e;

    did->speeches += c->talk.speech && (!turn || !turn_can_stop(turn));
    api__talk_stop(&c->talk, VOICE_STOPPED);
    if (turn && turn_can_stop(turn)) {
        did->turns++;
        c->turn = NULL;
        if (c->begun)
            http_req_charge(c->req, NULL); /* the session may go with the turn */
        turn_stop(turn);
        err_set(&e, ERR_STOPPED, 0, "%s", err_sentence(ERR_STOPPED));
        say_failed(c, NULL, &e);
        chat__end(c);
    } else if (c->told) {
        end_voiced(c);
    }
}

struct turn_sink chat__sink(struct chat *c)
{
    return (struct turn_sink){c, on_opened, on_text, on_done, on_fail};
}
