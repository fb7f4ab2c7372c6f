/*
 * Private to mind/: the minds that are asked over the network.
 *
 *   cloud.c         one turn: rounds of asking and tools
 *   cloud_ask.c     one request of it
 *   cloud_end.c     retries, and how a turn ends
 *   prompt.c        what a provider is told of who it is, and the tools it has
 *   openai.c        the wire of OpenAI-compatible servers
 *   gemini.c        the wire of Gemini, Developer API and Vertex
 *   gemini_auth.c   tokens for Vertex
 *   answer.c        an answer as it comes: text, tool calls, tokens
 *   events.c        the reader of event streams
 *
 * A codec (struct cloud_codec) knows a wire format and nothing else: it writes a request into a
 * buf, and reads events into a struct cloud_answer. So it is tested and fuzzed without a net.
 */
#pragma once

#include "base/breaker.h"
#include "base/buf.h"
#include "base/list.h"
#include "memory/memory.h"
#include "mind/mind.h"
#include "net/net.h"

#include <jansson.h>

#define CLOUD_CALLS_MAX 16                  /* tool calls of one answer */
#define CLOUD_ROUNDS_MAX 8                  /* requests of one turn */
#define CLOUD_EVENT_MAX ((size_t)256 << 10) /* bytes of one event */
#define CLOUD_BYTES_MAX ((size_t)4 << 20)   /* of one answer on the wire */
#define CLOUD_TEXT_MAX ((size_t)64 << 10)   /* said in one turn */
#define CLOUD_REFUSAL_MAX ((size_t)16 << 10)

/* events.c: text/event-stream; only data counts. A line ends with LF or CRLF. */
struct cloud_events {
    struct buf line, data; /* what has come of the line, and of the event */
    bool has_data;
    void (*on_event)(void *ctx, const char *data, size_t len);
    void *ctx;
};
/* False: an event was larger than CLOUD_EVENT_MAX, or memory was refused (line.full). */
bool cloud__events_feed(struct cloud_events *r, const char *bytes, size_t n) MUST_USE;
bool cloud__events_end(struct cloud_events *r) MUST_USE; /* what had no blank line behind it */

/* answer.c */

enum cloud_finish {
    CLOUD_RUNNING,
    CLOUD_STOP,   /* said or called all it wanted */
    CLOUD_LENGTH, /* ran into a limit */
    CLOUD_BLOCK,  /* the provider does not answer that */
    CLOUD_BOTCHED /* the model made a call that it cannot make */
};

struct cloud_tool {
    struct buf id, name, args; /* args: the text of a JSON object */
};

struct cloud_answer {
    struct region *room; /* of this round; everything below lies there */
    void (*say)(void *ctx, const char *text, size_t len);
    void *ctx;
    struct cloud_tool *tools; /* CLOUD_CALLS_MAX of them */
    size_t tool_count;
    struct buf text;  /* what was said in this answer, for the next round */
    struct buf parts; /* Gemini: the parts as they came, for the next round */
    enum cloud_finish finish;
    bool ended;     /* the stream says itself that nothing follows */
    bool full;      /* memory was refused */
    bool malformed; /* not what the protocol says */
    bool too_many;  /* tool calls */
    char note[48];  /* the name of an error in the stream, or why it is blocked */
    bool failed;    /* an error in the stream */
    int fault;      /* its status, or 0 */
    uint64_t tokens[MIND_TOKEN__COUNT];
    struct { /* <think> ... </think> is not said */
        bool inside, begun;
        char held[8];
        size_t held_len;
    } think;
};

void cloud__answer_begin(struct cloud_answer *a, struct region *room);
/* Text as the model sends it; what is meant to be heard goes on to say(). */
void cloud__answer_text(struct cloud_answer *a, const char *text, size_t len);
void cloud__answer_end(struct cloud_answer *a); /* a half "<think" was text after all */
/* The tool call with this number, made when it is new. NULL: too many, or no memory. */
struct cloud_tool *cloud__answer_tool(struct cloud_answer *a, size_t index);
void cloud__answer_error(struct cloud_answer *a, int status, const char *code);
/*
 * The name of an error, as providers have them: a word of [A-Za-z0-9_.-]. Their sentences are
 * not passed on: they may repeat a key, or what a person said.
 */
void cloud__code(char *ret, size_t size, const char *text);
uint64_t cloud__count_of(const json_t *object, const char *key);
/* JSON from outside, in the region that is entered. NULL: none; or *ret_full: no room for it.
 */
json_t *cloud__json(const char *text, size_t len, bool *ret_full);

/* cloud.c */

struct mind_cloud_cfg {
    const struct mind_cfg *all;
    const char *persona;
    const struct bar_menu *menu;
    const struct phrases *phrases;
    const char *url, *key, *model;
    bool vertex;
};
struct mind *cloud__new(enum mind_id id, const struct mind_cloud_cfg *cfg) MUST_USE;
/* For the next requests; `token` is for Vertex. */
void cloud__set_key(struct mind *m, const char *key, const char *token);

/* gemini_auth.c: bearer tokens for Vertex, kept until shortly before they end */

struct gemini_auth;
struct gemini_auth_wait {
    struct list link;
    /* A token, or NULL and why not. Called once, perhaps inside gemini_auth_get(). */
    void (*ready)(struct gemini_auth_wait *w, const char *token, const struct err *e);
};
struct gemini_auth *gemini_auth__new(const struct mind_cloud_cfg *cfg);
void gemini_auth__free(struct gemini_auth **a);
void gemini_auth__get(struct gemini_auth *a, struct gemini_auth_wait *w);
void gemini_auth__cancel(struct gemini_auth_wait *w); /* only before ready */
void gemini_auth__set_token(struct gemini_auth *a, const char *token);
void gemini_auth__forget(struct gemini_auth *a); /* the token was refused */

/* prompt.c */

struct cloud_prompt {
    struct buf system; /* persona, house, menu, rules: a JSON string without its end */
    struct buf tools;  /* in the provider's form, a JSON array */
    char *house;
};
void cloud__prompt_system(struct cloud_prompt *p, const struct mind_cloud_cfg *cfg);
/* The whole system text as a JSON string: what is always so, and how things stand now. */
void cloud__prompt_write(const struct cloud_prompt *p, const struct mind_turn *t,
                         struct buf *out);

/* The wire. */

struct cloud_request {
    const struct cloud_prompt *prompt;
    const struct mind_turn *turn;
    const char *model;
    const struct buf *rounds; /* messages of this turn so far, as the codec wrote them */
    bool last;                /* no more tools: it must speak now */
};

struct cloud_result { /* of one tool */
    const char *text; /* JSON object */
    size_t len;
    bool error;
};

struct cloud_refusal { /* an HTTP error, read */
    char code[48];     /* as "model_not_found", or "" */
    int64_t retry_ms;  /* as the body says; 0: it does not */
    bool final;        /* no use asking again, whatever the status says */
};

struct cloud_codec {
    void (*prompt)(struct cloud_prompt *p); /* fill p->tools */
    void (*request)(const struct cloud_request *r, struct buf *out);
    /* One event, or one whole JSON document of a server that does not stream. */
    void (*event)(struct cloud_answer *a, const char *json, size_t len);
    /* What the model said and called, and what the tools answered, for the next request. */
    void (*round)(const struct cloud_answer *a, const struct cloud_result *results,
                  struct buf *rounds);
    void (*refusal)(const json_t *body, struct cloud_refusal *ret);
};
extern const struct cloud_codec cloud__openai, cloud__gemini;

struct cloud {
    struct mind base;
    enum mind_id id;
    const struct cloud_codec *codec;
    struct mind_cfg all;
    struct mind_cloud_cfg cfg;
    struct cloud_prompt prompt;
    struct breaker breaker;
    struct gemini_auth *auth; /* Vertex; NULL: a key, or none */
    struct mind_provider_stats stats;
    char *url;     /* of the requests */
    char *own_url; /* of those with a session's own key */
};

struct cloud_call {
    struct cloud *mind;
    struct mind_turn *turn;
    struct mind_sink sink;
    struct http_call *http;
    struct loop_timer *pause; /* before the next try */
    struct gemini_auth_wait auth;
    bool waiting;                          /* for a token */
    struct region talk, wire, room, parse; /* of the turn, a request, its answer, an event */
    size_t charged;                        /* what the connection costs, about */
    struct buf rounds, body, said, refusal;
    struct cloud_events events;
    struct cloud_answer answer;
    unsigned round, tries, botched;
    bool renewed;                      /* the token, after it was refused */
    bool asking;                       /* the breaker waits for what comes of it */
    bool whole;                        /* the answer is one document, not a stream */
    bool spoke, blank, worded, effect; /* blank: ends with a space; worded: in this request */
    size_t bytes, text;
    int64_t began_ms, retry_ms;
    int64_t heard_ms; /* when the last event came; a comment is none */
    int should_retry; /* what the server says of that: -1 no, 1 yes */
    uint64_t asked_ns;
    unsigned inside;
    bool over; /* the owner was told, or told us to stop */
};

/* cloud_end.c: how a turn ends */
void cloud__release(struct cloud_call *c); /* all but the call itself, which is over */
void cloud__done(struct cloud_call *c);
void cloud__say(struct cloud_call *c, const char *text, size_t len);
void cloud__flush(struct cloud_call *c);
void cloud__settle(struct cloud_call *c, enum mind_outcome o, int status);
/* The request came to nothing: ask again, or let the owner fall back, or say how it stands. */
void cloud__lost(struct cloud_call *c, enum mind_outcome o, int status, const char *why);
/* The same, with more for the log than for people outside. */
void cloud__lost_with(struct cloud_call *c, enum mind_outcome o, int status, const char *why,
                      const char *logged);
void cloud__blocked(struct cloud_call *c);
void cloud__endless(struct cloud_call *c);
void cloud__nothing_said(struct cloud_call *c);
void cloud__no_memory(struct cloud_call *c);
/* cloud_ask.c */
void cloud__ask(struct cloud_call *c);
/* cloud.c: what is heard of the answer; ctx is the call */
void cloud__on_say(void *ctx, const char *text, size_t len);
void cloud__on_event(void *ctx, const char *data, size_t len);
void cloud__on_header(void *ctx, int status, struct str name, struct str value);
void cloud__on_data(void *ctx, int status, const char *data, size_t len);
void cloud__on_end(void *ctx, int status, enum http_lost lost, const struct err *e);
void cloud__hang_up(struct cloud_call *c);
void cloud__leave(struct cloud_call *c); /* after inside++: free it when it is over */
