/*
 * The WebSockets of net/ (RFC 6455), on either side: an upgraded request of our own server
 * (ws_accept), or a connection to a service (ws_connect). Frames are read and written by wslay.
 * Part of net.h, where a page would not hold it.
 *
 * A message is given out whole, at most max_message bytes, text as valid UTF-8. Pings are
 * answered, and sent when nothing was heard for quiet_ms; a peer that says nothing for as long
 * again is given up. No extension is offered or taken: permessage-deflate is left out. What
 * waits for a slow reader is bounded by max_queued.
 *
 * All on the loop. No callback comes inside a call from above, and `closed` comes once and
 * last; then the WebSocket is dead.
 */
#pragma once

#include "base/err.h"
#include "base/must.h"
#include "base/strs.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct budget;
struct http_client;
struct http_req;
struct ws;

/* How it ended: WS_END(NAME, "label", "sentence") in ws_end.def. */
enum ws_end {
#define WS_END(name, label, text) WS_##name,
#include "net/ws_end.def"
#undef WS_END
    WS__COUNT
};
const char *ws_end_label(enum ws_end w);

/* Codes of a close (RFC 6455 section 7.4.1). */
enum {
    WS_NORMAL = 1000,
    WS_GOING_AWAY = 1001,
    WS_CODE_PROTOCOL = 1002,
    WS_CODE_NONE = 1005,     /* the peer's close frame had no code */
    WS_CODE_NO_CLOSE = 1006, /* there was no close frame */
    WS_POLICY = 1008,
    WS_TOO_BIG = 1009,
    WS_INTERNAL = 1011
};

#define WS_REFUSAL_MAX ((size_t)4096) /* of a refusal's body that is kept */
#define WS_REASON_MAX 123             /* bytes of a close's reason */

struct ws_closed { /* borrowed for the call */
    enum ws_end why;
    int code;              /* of the peer's close frame, or WS_CODE_NONE, WS_CODE_NO_CLOSE */
    struct str reason;     /* the peer's, valid UTF-8 */
    int status;            /* REFUSED: of the answer; else 0 */
    int64_t retry_after_s; /* REFUSED: as the answer says, or 0 */
    struct str body;       /* REFUSED: its first WS_REFUSAL_MAX bytes */
    struct err e;          /* the same as a sentence */
};

struct ws_sink {
    void *ctx;
    void (*opened)(void *ctx); /* client; what was sent before waited. NULL: nobody asks */
    void (*message)(void *ctx, bool binary, const char *data, size_t len); /* borrowed */
    void (*drained)(void *ctx); /* all that waited was taken; NULL: nobody asks */
    /* Server: it is shutting down. Close soon; NULL: closed at once with WS_GOING_AWAY. */
    void (*draining)(void *ctx);
    void (*closed)(void *ctx, const struct ws_closed *c);
};

struct ws_cfg {
    size_t max_message; /* a longer one ends it with WS_TOO_BIG */
    size_t max_queued;  /* so much waits for the peer; what is more ends it (SLOW) */
    int64_t quiet_ms;   /* 0: no pings, and silence is no end */
    struct ws_sink sink;
};

/* ws.c */

/*
 * False: it is closed, closing, or ends now, for its queue or the memory had no room; `closed`
 * tells why. Text must be valid UTF-8.
 */
bool ws_send(struct ws *w, bool binary, const void *data, size_t len);
bool ws_can_send(const struct ws *w, size_t len); /* would it fit the queue now? */
size_t ws_queued(const struct ws *w);             /* bytes that wait for the peer */
/* Nothing more is read, so the peer is held up; pings wait with the rest. */
void ws_pause(struct ws *w, bool paused);
/*
 * What waits and what is being read is charged to `b` from now on; NULL: to nobody. False: it
 * does not fit, and nothing is changed. `b` must live until another call, or `closed`.
 */
bool ws_charge(struct ws *w, struct budget *b) MUST_USE;
/* Say goodbye; messages that come until the peer has answered are thrown away. */
void ws_close(struct ws *w, int code, const char *reason);
/* Nothing is called any more, and the connection ends at once. Also before it is open. */
void ws_cut(struct ws *w);

/* ws_server.c */

bool ws_asked(const struct http_req *r); /* does it ask for an upgrade to a WebSocket? */
/*
 * Upgrade the connection of a request (its body, if any, was read and is nobody's). On success
 * `r` belongs to the WebSocket and its texts are gone. On failure the owner answers:
 * ERR_UPGRADE (426; the headers that belong to it are set), ERR_INVALID or ERR_NOMEM. Which
 * origins may ask is for the owner to know.
 */
int ws_accept(struct http_req *r, const struct ws_cfg *cfg, struct ws **ret,
              struct err *e) MUST_USE;

/* ws_connect.c */

struct ws_ask {
    const char *url;            /* ws:// or wss:// */
    const char *const *headers; /* "Name: value", NULL-ended; copied, and wiped at the end */
    int64_t open_ms;            /* from now to its being open; 0: no limit */
    struct ws_cfg cfg;
};
/* The certificate is verified, proxy and trusted authorities are the client's. */
int ws_connect(struct http_client *c, const struct ws_ask *ask, struct ws **ret,
               struct err *e) MUST_USE;
