/* A turn over HTTP: POST /chat for the whole answer, /chat/stream for events. */
#include "api/chat_int.h"

#include <stdlib.h>
#include <string.h>

#define KEY_MAX 255 /* of an Idempotency-Key */

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
    c->talker.hush = chat__hush;
    return api__talker_add(c->api, &c->talker, c->id);
}

static void start_turn(struct chat *c)
{
    const struct turn_sink sink = chat__sink(c);
    struct turn_request request = {
        .session_id = c->id,
        .text = c->text,
        .charge = http_req_body(c->req).len + c->param.len,
        .started_ns = http_req_started_ns(c->req),
    };
    struct turn *turn;
    bool outer = c->inside;

    if (!idempotency_key(c->req, &request.idempotency_key, &request.key_once)) {
        chat__end(c);
        return;
    }
    if (c->interrupt)
        api__hush(c->api, c->id);
    if (!enlist(c)) {
        api__error_code(c->req, ERR_NOMEM, NULL);
        chat__end(c);
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
        chat__end(c);
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
    struct buf order = BUF_INIT, summary = BUF_INIT;
    char mind[API_MIND_MAX];

    api__tab_texts(s, &order, &summary);
    const struct turn_done d = {
        .reply = {reply->text, reply->len},
        .order = str_of(buf_text(&order)),
        .summary = str_of(buf_text(&summary)),
        .mind = api__mind_of(s, reply, mind),
    };
    bool told = !order.full && !summary.full && enlist(c);
    if (told) {
        api__events_begin(&c->events, c->req, c->id, c->resume.turn);
        if (c->voiced) /* what was not told yet is spoken too */
            chat__begin_talk(c, s);
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
        chat__end(c);
        return;
    }
    if (!c->stream) {
        chat__answer_aside(c, "Please tell me what you'd like to order.", s, NULL);
        if (s)
            session_leave(s);
        chat__end(c);
        return;
    }
    if (s && (reply = find_reply(s, c->resume.turn, c->text)))
        told = resume(c, s, reply);
    if (s)
        session_leave(s);
    if (told && c->voiced)
        chat__only_talk(c);
    else if (reply)
        chat__end(c);
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
    http_req_on_gone(c->req, chat__on_gone);
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
        chat__end(c);
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
        chat__end(c);
        return;
    }
    if (c->param.full) {
        api__error_code(req, ERR_NOMEM, NULL);
        chat__end(c);
        return;
    }
    if (!how_to_answer(c)) {
        chat__end(c);
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
        chat__end(c);
        return;
    }
    listen_on(c);
    if (!last.data || !api__place_parse(last, &c->resume)) {
        start_turn(c);
    } else if (c->resume.complete) { /* nothing is missing; 204 tells an EventSource to stop */
        http_answer(req, 204, NULL, NULL, 0);
        chat__end(c);
    } else {
        look_first(c);
    }
}
