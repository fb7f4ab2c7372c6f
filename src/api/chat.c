/* A turn over HTTP: POST /chat for the whole answer, /chat/stream for events. */
#include "api/api_int.h"

#include "base/base64.h"
#include "base/json_text.h"
#include "base/log.h"

#include <stdlib.h>
#include <string.h>

#define KEY_MAX 255 /* of an Idempotency-Key */

struct chat {
    struct api_call call;
    struct api *api;
    struct http_req *req;
    struct turn *turn;
    struct session_wait wait; /* while looking for a turn to resume, or for a blank message */
    bool waiting;
    json_t *body;     /* while it is read; NULL later, for it may be large */
    struct buf param; /* holds `text` */
    struct str text;
    bool stream, begun;
    bool inside, over;
    struct api_place resume;
    struct api_events events;
    struct api_talker talker;
    bool interrupt; /* whoever talks in this session is to stop first */
    bool voiced;    /* audio was asked for */
    bool told;      /* the text was, so that only audio is left to tell */
    enum voice_format format;
    struct api_talk talk;
    struct buf held;  /* an answer that waits for its audio */
    size_t held_at;   /* where the audio belongs in it: a null is there */
    struct buf audio; /* so far */
    char id[SESSION_ID_MAX + 1];
};

static void end(struct chat *c)
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

static void on_gone(void *ctx, struct http_req *req)
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
    end(c);
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
static void answer_aside(struct chat *c, const char *text, const struct session *s,
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
    size_t rest = c->held_at + (whole ? strlen("null") : 0);

    if (c->format == VOICE_WAV && whole)
        voice_wav_finish(c->audio.data, c->audio.len);
    buf_add(&body, c->held.data, c->held_at);
    if (whole) {
        buf_char(&body, '"');
        base64_add(&body, c->audio.data, c->audio.len);
        buf_char(&body, '"');
    }
    buf_add(&body, c->held.data + rest, c->held.len - rest);
    api__answer_text(c->req, c->id, body.full ? &c->held : &body);
    buf_release(&body);
}

/* The text was told; now everything that is said was told too. */
static void end_voiced(struct chat *c)
{
    if (c->stream)
        api__event_audio_end(&c->events, voice_outcome_text(c->talk.outcome));
    else
        answer_held(c);
    end(c);
}

/* The text was told: what is left is to be heard. `c` may be gone afterwards. */
static void only_talk(struct chat *c)
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

static void begin_talk(struct chat *c, const struct session *s)
{
    struct voice *v = c->api->cfg.voice;

    c->talk.outcome = VOICE_FAILED;
    c->talk.audio = on_audio;
    c->talk.ended = on_spoken;
    if (v && *voice_name(v) && !api__talk_begin(&c->talk, c->api, s, c->format, !c->stream))
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
        http_req_charge(c->req, session_budget(s)); /* until fail ends it, or only_talk() */
        api__event_session(&c->events);
    }
    if (c->voiced && c->req)
        begin_talk(c, s);
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
        only_talk(c);
    else
        end(c);
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
            answer_aside(c, e->msg, s, err_code_text(e->code));
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
    end(c);
}

/* The person has enough: what is not committed is undone, what is stands and is not said. */
static void hush(struct api_talker *talker, struct api_hushed *did)
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
        end(c);
    } else if (c->told) {
        end_voiced(c);
    }
}

/*
 * The key of a message that must not be taken twice; empty: none. The person's own, or one that
 * the gateway gave it, which sends it again when a container dies. False: answered.
 */
static bool idempotency_key(struct http_req *req, struct str *ret, bool *ret_once)
{
    struct str key = http_req_header(req, "idempotency-key");

    *ret_once = !key.data;
    if (!key.data)
        key = http_req_header(req, "gateway-key");
    *ret = key.data ? str_trim(key) : (struct str){"", 0};
    for (size_t i = 0; i < ret->len; i++) {
        if (ret->len <= KEY_MAX && ret->data[i] >= 0x20 && ret->data[i] < 0x7f)
            continue;
        api__error_code(req, ERR_INVALID,
                        "Idempotency-Key must be 1 to 255 printable ASCII characters.");
        return false;
    }
    return true;
}

/* From now on this is one who talks in its session. False: no memory. */
static bool enlist(struct chat *c)
{
    c->talker.hush = hush;
    return api__talker_add(c->api, &c->talker, c->id);
}

static void start_turn(struct chat *c)
{
    const struct turn_sink sink = {c, on_opened, on_text, on_done, on_fail};
    struct turn_request request = {
        .session_id = c->id,
        .text = c->text,
        .charge = http_req_body(c->req).len + c->param.len,
        .started_ns = http_req_started_ns(c->req),
    };
    struct turn *turn;
    bool outer = c->inside;

    if (!idempotency_key(c->req, &request.idempotency_key, &request.key_once)) {
        end(c);
        return;
    }
    if (c->interrupt)
        api__hush(c->api, c->id);
    if (!enlist(c)) {
        api__error_code(c->req, ERR_NOMEM, NULL);
        end(c);
        return;
    }
    c->inside = true;
    turn_start(c->api->cfg.agent, &request, &sink, &turn);
    c->inside = outer;
    if (c->over) {
        if (!outer)
            free(c);
        return;
    }
    c->turn = turn;
    if (!c->req) { /* gone meanwhile */
        if (turn)
            turn_stop(turn);
        end(c);
    }
}

/* Looking first: for the turn that a returning reader was in, or for a blank message. */

const struct session_message *api__said_in(const struct session *s, uint32_t turn)
{
    const struct session_message *m = s->first;

    if (turn == 0 || turn > s->turns || (s->turns - turn + 1) * 2 > s->message_count)
        return NULL;
    for (uint32_t i = s->message_count - (s->turns - turn + 1) * 2; i > 0; i--)
        m = m->next;
    return m->from_person ? m : NULL;
}

/* The reply of turn `turn`, if it answered `text`; NULL otherwise. */
static const struct session_message *find_reply(const struct session *s, uint32_t turn,
                                                struct str text)
{
    const struct session_message *m = api__said_in(s, turn);

    if (!m || m->len != text.len || memcmp(m->text, text.data, text.len) != 0)
        return NULL;
    return m->next;
}

/* False: answered with an error. */
static bool resume(struct chat *c, const struct session *s, const struct session_message *reply)
{
    const char *by = agent_answered_by(s, c->resume.turn);
    struct buf order = BUF_INIT, summary = BUF_INIT;
    char mind[40] = "{}";

    if (by)
        snprintf(mind, sizeof(mind), "{\"mind\":\"%s\"}", by);
    api__tab_texts(s, &order, &summary);
    const struct turn_done d = {
        .reply = {reply->text, reply->len},
        .order = str_of(buf_text(&order)),
        .summary = str_of(buf_text(&summary)),
        .mind = str_of(mind),
    };
    bool told = !order.full && !summary.full && enlist(c);
    if (told) {
        api__events_begin(&c->events, c->req, c->id, c->resume.turn);
        if (c->voiced) /* what was not told yet is spoken too */
            begin_talk(c, s);
        api__events_resume(&c->events, &c->resume, &d);
    } else {
        api__error_code(c->req, ERR_NOMEM, NULL);
    }
    buf_release(&order);
    buf_release(&summary);
    return told;
}

static void on_looked(struct session_wait *w, struct session *s, const struct err *e)
{
    struct chat *c = LIST_ITEM(w, struct chat, wait);
    const struct session_message *reply = NULL;
    bool told = false;

    c->waiting = false;
    if (e) {
        api__error(c->req, e);
        end(c);
        return;
    }
    if (!c->stream) {
        answer_aside(c, "Please tell me what you'd like to order.", s, NULL);
        if (s)
            session_leave(s);
        end(c);
        return;
    }
    if (s && (reply = find_reply(s, c->resume.turn, c->text)))
        told = resume(c, s, reply);
    if (s)
        session_leave(s);
    if (told && c->voiced)
        only_talk(c);
    else if (reply)
        end(c);
    else
        start_turn(c); /* that turn was stopped and undone, so it is asked again */
}

static void look_first(struct chat *c)
{
    c->waiting = true;
    c->wait.ready = on_looked;
    c->inside = true;
    agent_look(c->api->cfg.agent, c->id, &c->wait);
    c->inside = false;
    if (c->over)
        free(c);
}

/* What the request says. */

static struct chat *begin(struct api *a, struct http_req *req, bool stream)
{
    const struct api_call *call = http_req_ctx(req);
    struct chat *c = calloc(1, sizeof(*c));

    if (!c) {
        api__error_code(req, ERR_NOMEM, NULL);
        return NULL;
    }
    c->call = *call;
    c->api = a;
    c->req = req;
    c->stream = stream;
    return c;
}

static void listen_on(struct chat *c)
{
    json_decref(c->body);
    c->body = NULL;
    http_req_set_ctx(c->req, c);
    http_req_on_gone(c->req, on_gone);
}

static bool take_string(struct chat *c, const char *name)
{
    json_t *v = json_object_get(c->body, name);

    if (!json_is_string(v))
        return false;
    buf_clear(&c->param);
    buf_add(&c->param, json_string_value(v), json_string_length(v));
    c->text = (struct str){buf_text(&c->param), c->param.len};
    return true;
}

/* Aloud? At once? False: answered. */
static bool how_to_answer(struct chat *c)
{
    return api__wants_voice(c->api, c->req, c->body, &c->voiced, &c->format) &&
           api__flag(c->req, c->body, "interrupt", &c->interrupt);
}

void api__chat(struct api *a, struct http_req *req)
{
    struct chat *c = begin(a, req, false);

    if (!c)
        return;
    if (!api__session_id(req, c->id) || !api__body_fits(a, req, c->id) ||
        !(c->body = api__body_object(req))) {
        end(c);
        return;
    }
    if (!take_string(c, "user_input")) {
        json_t *given = json_object_get(c->body, "user_input");
        api__invalid(req,
                     &(struct api_complaint){.type = given ? "string_type" : "missing",
                                             .msg = given ? "Input should be a valid string"
                                                          : "Field required",
                                             .loc = "\"user_input\"",
                                             .input = given ? given : c->body});
        end(c);
        return;
    }
    if (c->param.full) {
        api__error_code(req, ERR_NOMEM, NULL);
        end(c);
        return;
    }
    if (!how_to_answer(c)) {
        end(c);
        return;
    }
    listen_on(c);
    if (str_trim(c->text).len == 0)
        look_first(c);
    else
        start_turn(c);
}

static bool no_memory(const struct chat *c)
{
    api__error_code(c->req, ERR_NOMEM, NULL);
    return false;
}

/* body.message, body.user_input, ?message=, ?user_input=, in this order. False: answered. */
static bool stream_text(struct chat *c)
{
    static const char *const names[] = {"message", "user_input"};

    if (!api__body_maybe(c->req, &c->body))
        return false;
    for (size_t i = 0; c->body && i < ARRAY_LEN(names); i++) {
        json_t *v = json_object_get(c->body, names[i]);
        if (!v || json_is_null(v) || take_string(c, names[i])) {
            if (c->param.full)
                return no_memory(c);
            if (str_trim(c->text).len)
                return true;
            continue;
        }
        char loc[24];
        snprintf(loc, sizeof(loc), "\"%s\"", names[i]);
        api__invalid(c->req, &(struct api_complaint){.type = "string_type",
                                                     .msg = "Input should be a valid string",
                                                     .loc = loc,
                                                     .input = v});
        return false;
    }
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        buf_clear(&c->param);
        bool found = http_req_param(c->req, names[i], &c->param);
        if (c->param.full)
            return no_memory(c);
        if (!found)
            continue;
        c->text = (struct str){buf_text(&c->param), c->param.len};
        if (memchr(c->text.data, '\0', c->text.len) ||
            utf8_valid_prefix(c->text.data, c->text.len) != c->text.len) {
            api__error_code(c->req, ERR_INVALID, "The message is not valid UTF-8 text.");
            return false;
        }
        if (str_trim(c->text).len)
            return true;
    }
    api__error_code(c->req, ERR_INVALID,
                    "Message parameter or body payload is required for streaming.");
    return false;
}

void api__stream(struct api *a, struct http_req *req)
{
    struct str last = http_req_header(req, "last-event-id");
    struct chat *c = begin(a, req, true);

    if (!c)
        return;
    if (!api__stream_session_id(req, c->id) || !api__body_fits(a, req, c->id) ||
        !stream_text(c) || !how_to_answer(c)) {
        end(c);
        return;
    }
    listen_on(c);
    if (!last.data || !api__place_parse(last, &c->resume)) {
        start_turn(c);
    } else if (c->resume.complete) { /* nothing is missing; 204 tells an EventSource to stop */
        http_answer(req, 204, NULL, NULL, 0);
        end(c);
    } else {
        look_first(c);
    }
}
