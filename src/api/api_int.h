/* Private to api/. */
#pragma once

#include "agent/agent.h"
#include "api/api.h"
#include "base/buf.h"
#include "base/list.h"
#include "base/map.h"
#include "net/net.h"
#include "session/session.h"
#include "voice/voice.h"

#include <jansson.h>

enum api_route {
#define ROUTE(id, method, path, handler, summary, request, response) ROUTE_##id,
#include "api/route.def"
#undef ROUTE
    ROUTE_ASSET,
    ROUTE_OTHER,
    ROUTE__COUNT
};

/* What a request's context begins with, so that its answer can be counted by route. */
struct api_call {
    enum api_route route;
};

struct api {
    struct api_cfg cfg;
    struct api_call plain[ROUTE__COUNT]; /* for requests that need no more than their route */
    uint64_t fresh_id;                   /* fresh.c: of this process */
    struct map talkers;                  /* hush.c: by session */
    unsigned hush_rounds;
    struct api_watch {
        struct map by_id;     /* struct watched */
        struct list sessions; /* the same, in the order in which they are looked at */
        struct list streams;  /* struct watcher, in the order of their heartbeats */
        struct list unsure;   /* struct watched: watch_beside.c */
        struct session_lately lately;
        unsigned lately_ticks;
        unsigned stream_count; /* of `streams` */
        unsigned beat_credit;  /* parts of heartbeats that are due */
        unsigned look_credit;
        unsigned retry_count; /* readers who were told when to come back */
        struct buf line;      /* an event being written */
        bool line_places;     /* it has an id: who reads it knows its place */
    } watch;
    struct api_ready {
        struct list held; /* ready.c */
        unsigned count, ticks;
    } ready;
};

#define ROUTE(id, method, path, handler, summary, request, response)                           \
    void handler(struct api *a, struct http_req *req);
#include "api/route.def"
#undef ROUTE

struct api_route_row {
    enum http_method method;
    const char *path;
    const char *handler;
    const char *summary;
    int request, response; /* of schema.def */
};
extern const struct api_route_row api__routes[ROUTE_ASSET];

/* fresh.c: true when it was one of the page's files, and answered */
void api__fresh_init(struct api *a);
bool api__fresh(struct api *a, struct http_req *req, struct str path);

/* api.c: what stands in the place of "{...}" in the path of the request's route */
struct str api__path_param(const struct http_req *req);

/* api.c: may a page of that origin ask? */
bool api__origin_allowed(const struct api *a, struct str origin);

/* guard.c */
bool api__for_operator(const struct api_route_row *r); /* what is under ~/ops/ */
/* May this request ask what only an operator may? False: answered. */
bool api__operator(const struct api *a, struct http_req *req);

/* monitor.c: figures of a session in memory, or of its row, as JSON */
void api__figures_text(const struct api *a, struct buf *out, const struct session *s);
void api__stored_text(struct buf *out, const char *id, const struct session_stored *row);

/* ready.c */
void api__ready_init(struct api *a);
void api__ready_tick(struct api *a);

/* reply.c */

#define API_JSON "application/json"

/* The log's line of an error that was answered (`req` may be NULL); api__error() writes it. */
void api__log_error(struct http_req *req, const struct err *e);
const char *api__error_text(const struct err *e); /* what may be said of it to anybody */
/* An error as JSON, with Retry-After where its row says so. */
void api__error(struct http_req *req, const struct err *e);
void api__error_code(struct http_req *req, enum err_code code, const char *detail);
/* `body` as the answer, or, when it is full, that there is no memory for one. */
void api__answer_buf(struct http_req *req, int status, const char *type,
                     const struct buf *body);
/* One complaint about a body or parameter, in the predecessor's shape, status 422. */
struct api_complaint {
    const char *type, *msg;
    const char *loc;     /* field under "body", NULL: the body itself */
    const json_t *input; /* borrowed; NULL: null */
    const char *ctx;     /* JSON text of ctx, or NULL */
};
void api__invalid(struct http_req *req, const struct api_complaint *c);
/* Append a value as compact JSON; `out` turns full when there is no value or no memory. */
void api__dump(struct buf *out, const json_t *value);
void api__answer_json(struct http_req *req, const char *session_id,
                      json_t *root); /* takes root */
void api__answer_text(struct http_req *req, const char *session_id, const struct buf *json);

/* body.c */

/* The session id of the request, or a new one. False: answered with 400. */
bool api__session_id(struct http_req *req, char ret[SESSION_ID_MAX + 1]);
/* The same for a stream: the header wins over ?session_id=, which an EventSource has to use. */
bool api__stream_session_id(struct http_req *req, char ret[SESSION_ID_MAX + 1]);
/* False: the session could not hold this body, so it is not even read; answered with 413. */
bool api__body_fits(const struct api *a, struct http_req *req, const char *id);
/* The body as a JSON object, new reference. NULL: answered with 422 or 503. */
json_t *api__body_object(struct http_req *req);
/* The body as an object if it is one, else NULL. False: no memory; answered. */
bool api__body_maybe(struct http_req *req, json_t **ret);

/* look.c: read something of a session and answer; never creates one */

typedef void api_show_fn(struct api *a, struct http_req *req, const char *id,
                         const struct session *s);
void api__look(struct api *a, struct http_req *req, api_show_fn *show);

/* look.c */

/* "history":[...] of the first `count` messages. */
void api__history_text(struct buf *out, const struct session *s, size_t count);
/* The members of a turn's `mind`, with `before` in front, so that they stand in an object. */
void api__mind_members(struct buf *out, struct str mind, const char *before);
/* The `mind` of a reply in the history; why it was not another one is not kept. */
#define API_MIND_MAX 40
struct str api__mind_of(const struct session *s, const struct session_message *reply,
                        char ret[API_MIND_MAX]);
/* Order and summary of a session (NULL: an empty one) as {"current_order","payment_summary"}.
 */
json_t *api__tab_object(const struct session *s);
/* Order and summary as two JSON texts. */
void api__tab_texts(const struct session *s, struct buf *order, struct buf *summary);
/* The answer of /payments/tab. */
json_t *api__tab_json(const struct session *s);

/* events.c: the events of a reply, resumable at every boundary */

/* Where in a turn's events a client is: what it has of the reply's text and sentences. */
struct api_place {
    uint32_t turn;
    size_t offset;    /* bytes of the reply sent as text_chunk */
    size_t sentences; /* sent as sentence */
    bool complete;
};

struct api_talk;
struct api_events {
    struct http_req *req;  /* an event stream, or */
    struct ws *ws;         /* a WebSocket, which goes on after each reply */
    struct api_talk *talk; /* speaks the sentences, and keeps the stream open; NULL: nobody */
    size_t talk_from;      /* sentences before the first that it spoke */
    bool talking;
    char id[SESSION_ID_MAX + 1];
    struct api_place at;
    struct buf pending; /* text of the sentence that is not finished */
    struct buf line;    /* an event being written; kept for its memory */
};

/* Answer with events; the caller writes them and ends. */
void api__stream_begin(struct http_req *req, const char *id);
bool api__place_parse(struct str last_event_id, struct api_place *ret);
void api__events_begin(struct api_events *ev, struct http_req *req, const char *id,
                       uint32_t turn);
void api__events_release(struct api_events *ev);
/* Others than those below: open, members, send. */
void api__event_open(struct api_events *ev, const char *type);
void api__event_member(struct api_events *ev, const char *name, struct str text);
void api__event_send(struct api_events *ev);
void api__event_session(struct api_events *ev);
void api__event_text(struct api_events *ev, const char *data, size_t len);
void api__event_complete(struct api_events *ev, const struct turn_done *d);
void api__event_error(struct api_events *ev, const struct err *e);
/* A piece of what is spoken; returns the bytes that wait for the reader. */
size_t api__event_audio(struct api_events *ev, const struct speech_chunk *c,
                        enum voice_format format);
/* After `complete` or instead of more audio: ends the stream. */
void api__event_audio_end(struct api_events *ev, const struct api_talk *t);
/* Everything of a finished reply that a client at `from` does not have yet. */
void api__events_resume(struct api_events *ev, const struct api_place *from,
                        const struct turn_done *d);

/* chat.c: what the person said in that turn, the reply behind it; NULL: not in the history */
const struct session_message *api__said_in(const struct session *s, uint32_t turn);

/* talk.c: a speech for a client */

struct api_talk {
    struct speech *speech; /* NULL: silent */
    struct session_rider rider;
    enum voice_outcome outcome; /* of the one that ended, and */
    enum voice_id voice;        /* who was heard last, and */
    char why[160];              /* why not another voice, or "" */
    size_t (*audio)(struct api_talk *t, const struct speech_chunk *c); /* bytes that wait */
    void (*ended)(struct api_talk *t); /* by itself, and not inside begin, say or stop */
};

/* False: no memory. `audio` and `ended` are set before. */
bool api__talk_begin(struct api_talk *t, struct api *a, const struct session *s,
                     enum voice_format format, bool joined) MUST_USE;
void api__talk_say(struct api_talk *t, struct str text); /* sentence by sentence */
void api__talk_stop(struct api_talk *t, enum voice_outcome why);
void api__talk_room(struct api_talk *t); /* for http_stream_on_room() */
/* Of one that ended: who spoke, and why not another, as members behind `between`. */
void api__voice_members(struct buf *out, const struct api_talk *t, const char *between);

/* What a request asks for, in its body or its query. False: answered. */
bool api__flag(struct http_req *req, const json_t *body, const char *name, bool *ret) MUST_USE;
bool api__format(struct http_req *req, const json_t *body, const char *name,
                 enum voice_format *ret, bool *ret_given) MUST_USE;
bool api__wants_voice(struct api *a, struct http_req *req, const json_t *body, bool *ret,
                      enum voice_format *ret_format) MUST_USE;

/* hush.c: barge-in */

struct api_hushed {
    unsigned turns;    /* undone */
    unsigned speeches; /* silenced, and the turn stands */
};

struct talkers;
struct api_talker {
    struct list link;
    struct talkers *in; /* NULL: not known here */
    struct api *api;
    unsigned asked;
    /* End what may be ended, count it. May remove itself, and be freed. */
    void (*hush)(struct api_talker *t, struct api_hushed *did);
};

bool api__talker_add(struct api *a, struct api_talker *t, const char *id) MUST_USE;
void api__talker_remove(struct api_talker *t);
unsigned api__talker_count(struct api *a, const char *id);
/* Everybody in this session. */
struct api_hushed api__hush(struct api *a, const char *id);

/* watch.c: the streams of /session/events */
void api__watch_init(struct api *a); /* listens to the agent from now on */
void api__watch_release(struct api *a);
/* It was ended by hand; who watches it is told. Those that expire are noticed by api_tick(). */
void api__watch_ended(struct api *a, const char *id);
