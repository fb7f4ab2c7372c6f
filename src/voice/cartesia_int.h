/*
 * Private to voice/: Cartesia (docs.cartesia.ai, API version 2026-08-14).
 *
 *   cartesia.c          speeches and their lines
 *   cartesia_ask.c      when to ask, again, or no more
 *   cartesia_http.c     POST /tts/bytes, a request a line
 *   cartesia_context.c  what goes into a context, and what comes of it
 *   cartesia_ws.c       /tts/websocket, a context a speech, many on one socket
 *   cartesia_wire.c     what is sent and what comes; pure
 *
 * A talk is a speech here. Its lines are said over a context of the socket, so that the melody
 * carries over sentences; behind each line goes a flush, and what comes until that is done is
 * the line's. Without a socket each line is a request of its own. A line that broke off is
 * asked for again, and what was heard of it is skipped.
 */
#pragma once

#include "base/breaker.h"
#include "voice/voice_int.h"

#define CARTESIA_VERSION "2026-08-14"
#define CARTESIA_MODEL "sonic-3.5"
#define CARTESIA_VOICE "f786b574-daa5-4673-aa0c-cbe3e8534c02" /* Katie */
#define CARTESIA_RATE 24000
#define CARTESIA_MESSAGE_MAX ((size_t)1 << 20)
#define CARTESIA_REFUSAL_MAX ((size_t)4096)
#define CARTESIA_ID_LEN 32

/* cartesia_wire.c */

struct cartesia_say {
    const struct voice_how *how;
    struct str text;
    const char *context; /* NULL: a request over HTTP */
    bool more;           /* of the context comes; else it ends */
    bool flush;
};
void cartesia__write(const struct cartesia_say *say, struct buf *out);
void cartesia__write_cancel(const char *context, struct buf *out);

enum cartesia_kind {
    CARTESIA_CHUNK,
    CARTESIA_PHONEMES,
    CARTESIA_FLUSHED,
    CARTESIA_DONE,
    CARTESIA_ERROR,
    CARTESIA_OTHER,     /* to be ignored */
    CARTESIA_MALFORMED, /* not what the protocol says */
    CARTESIA_NO_MEMORY
};
struct cartesia_message {
    enum cartesia_kind kind;
    char context[64];             /* "": none */
    int status;                   /* of an error, or 0 */
    char code[48];                /* of an error: a word, or "" */
    struct buf audio;             /* the bytes of a chunk */
    struct voice_viseme *visemes; /* of phonemes; times since the context's beginning */
    size_t viseme_count;
};
void cartesia__read(const char *json, size_t len, struct cartesia_message *ret);
void cartesia__message_release(struct cartesia_message *m);
/* The word that a refusal's body names, or "". Its sentences are not passed on: they may repeat
 * a key, or what was to be said. */
void cartesia__code(const char *body, size_t len, char *ret, size_t size);

/* The parts. */

struct cartesia_socket;

struct voice_task {
    struct list link; /* talk->tasks */
    struct cartesia_talk *talk;
    struct voice_ear ear;
    size_t samples;  /* told */
    size_t skip;     /* of what comes now: it was told before */
    uint64_t serial; /* of the provider's tasks; an address may come again */
    bool pushed;     /* into the context */
    bool held;
    size_t len;
    char text[];
};

struct cartesia_talk {
    struct list link; /* provider->talks */
    struct voice_provider *provider;
    uint64_t speech;
    struct str key; /* the person's own, or empty */
    struct list tasks;
    bool ended; /* no line comes any more */
    unsigned inside;
    bool gone; /* freed when nobody is inside */

    unsigned tries;
    bool asking;              /* what comes of it is not known yet */
    enum voice_wire wire;     /* of what was asked last */
    struct loop_timer *later; /* until it goes on */
    unsigned char odd;        /* half a sample */
    bool has_odd;
    int64_t heard_ms;

    /* over HTTP */
    bool by_http; /* from now on */
    struct http_call *call;
    struct buf body, refusal;
    bool strange;   /* a 200 that is no audio */
    bool not_taken; /* the connection; another try may be luckier */
    int64_t retry_ms;

    /* over the socket */
    struct cartesia_socket *socket;
    struct list member;           /* socket->talks */
    char id[CARTESIA_ID_LEN + 1]; /* of its context; "": none is open */
    unsigned pending;             /* lines that were pushed and are not whole */
    size_t before;                /* samples of the context before the first line's */
    size_t now;                   /* samples of the first line in this context */
    bool finished;                /* the context was told that no more comes */
    struct voice_viseme *visemes; /* that are ahead of their audio */
    size_t viseme_count;
};

struct voice_provider {
    const struct voice_cfg *cfg;
    struct voice_asks *asks;
    char *http_url, *ws_url;
    struct list talks;
    struct breaker breaker, ws_breaker;
    struct list sockets;
    struct loop_timer *sweep;
    uint64_t serials;
    uint64_t seed;
};

static inline struct voice_task *cartesia__first(const struct cartesia_talk *t)
{
    return list_empty(&t->tasks) ? NULL : LIST_ITEM(t->tasks.next, struct voice_task, link);
}

/* cartesia.c. Around a callback: enter, and leave, after which the talk may be gone. */
void cartesia__enter(struct cartesia_talk *t);
void cartesia__leave(struct cartesia_talk *t);
/* Bytes of audio of the first line. */
void cartesia__audio(struct cartesia_talk *t, const char *data, size_t len);
/* Is that line the first yet, after something was told? */
bool cartesia__still(const struct cartesia_talk *t, uint64_t serial);
void cartesia__said(struct cartesia_talk *t); /* the first line is whole */
/* A line that is asked for again comes from its beginning. */
void cartesia__rewind(struct cartesia_talk *t);
/* All lines fail; the speech decides what then. */
void cartesia__fail(struct cartesia_talk *t, const char *why);
int64_t cartesia__now(const struct voice_provider *p);

/* cartesia_ask.c. The lines that wait are asked for then; without memory for that they fail. */
void cartesia__later(struct cartesia_talk *t, int64_t ms);
bool cartesia__try_later(struct cartesia_talk *t, int64_t ms); /* false: no memory */
/* May Cartesia be asked? Then settle tells what came of it, once. */
bool cartesia__try(struct cartesia_talk *t, enum voice_wire wire);
void cartesia__settle(struct cartesia_talk *t, enum voice_asked o, int status);
/* Nothing (more) comes of what was asked: ask again soon, or fail. */
void cartesia__lost(struct cartesia_talk *t, enum voice_asked o, int status, const char *why);
void cartesia__key_header(const struct cartesia_talk *t, struct buf *out);

/* cartesia_http.c */
void cartesia__http_ask(struct cartesia_talk *t); /* the first line; may call lost() */
void cartesia__http_stop(struct cartesia_talk *t);
void cartesia__http_hold(struct cartesia_talk *t, bool held);

/* cartesia_context.c. Of a talk that is on an open socket; all but forget may call lost(). */
void cartesia__context_push(struct cartesia_talk *t); /* what is not pushed yet, and the end */
void cartesia__context_take(struct cartesia_talk *t, const struct cartesia_message *m);
void cartesia__context_end(struct cartesia_talk *t); /* tell it that nobody listens any more */
void cartesia__context_forget(struct cartesia_talk *t); /* it is over, on either side */

/* cartesia_ws.c */
bool cartesia__ws_send(struct cartesia_talk *t,
                       const struct buf *message); /* false: it cannot be told */
/* What of the lines is not pushed yet, and the end. False: over HTTP, then. */
bool cartesia__ws_push(struct cartesia_talk *t);
void cartesia__ws_leave(struct cartesia_talk *t); /* cancel its context, and let go */
void cartesia__ws_hold(struct cartesia_talk *t);
void cartesia__ws_sweep(struct voice_provider *p);  /* a few times a second */
void cartesia__ws_retire(struct voice_provider *p); /* nobody new comes onto those there are */
void cartesia__ws_close(struct voice_provider *p);
