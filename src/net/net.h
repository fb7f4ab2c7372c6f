/*
 * net: the event loop, an HTTP/1.1 server on it (REST, event streams, files in memory), and a
 * client for the services that Maya asks (libcurl on the same loop), and WebSockets on either
 * side.
 *
 * Owns the only thread that runs the product, every socket and every timer (libuv lives here
 * only). Knows no route, no session and no JSON. The parser is strict: what is ambiguous is
 * refused with 400 and the connection is closed (RFC 9112 sections 2.2, 3.2, 5, 6, 11).
 * Times are milliseconds of the loop's clock, sizes bytes.
 */
#pragma once

#include "base/err.h"
#include "base/must.h"
#include "base/strs.h"
#include "net/client.h"
#include "net/listen.h"
#include "net/tell.h"
#include "net/ws.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct budget;
struct buf;

/* loop.c */

struct loop;
struct loop_timer;
struct loop_wake;

int loop_new(struct loop **ret, struct err *e) MUST_USE;
void loop_free(struct loop **l); /* everything on it must be closed or closing */
/*
 * Room for so many connections' descriptors, now: libuv ends the program when it finds none
 * later. Before there is another thread it takes no time; after, the kernel waits 15 ms.
 */
void loop_expect_conns(struct loop *l, unsigned conns);
void loop_run(struct loop *l); /* until nothing is left, or loop_stop() */
void loop_stop(struct loop *l);
int64_t loop_now(const struct loop *l); /* monotonic ms, cached per turn of the loop */
uint64_t loop_hrtime_ns(void);          /* monotonic, not cached: for measuring */
int64_t loop_unix_s(void);              /* clock.c */

/* A repeating timer; period 0 fires once. It does not keep the loop alive. */
struct loop_timer *loop_every(struct loop *l, int64_t period_ms, void (*fn)(void *), void *ctx);
struct loop_timer *loop_after(struct loop *l, int64_t delay_ms, void (*fn)(void *), void *ctx);
/* The same for when the loop serves: NULL when there is no memory. */
struct loop_timer *loop_try_after(struct loop *l, int64_t delay_ms, void (*fn)(void *),
                                  void *ctx) MUST_USE;
void loop_timer_free(struct loop_timer **t);

/* fn runs on the loop soon after loop_wake_up(), which any thread may call. */
struct loop_wake *loop_wake_new(struct loop *l, void (*fn)(void *), void *ctx);
void loop_wake_up(struct loop_wake *w);
void loop_wake_free(struct loop_wake **w);

/* fn runs when fd is readable, or has urgent news (POLLPRI). fd must stay open until free. */
struct loop_watch;
struct loop_watch *loop_watch_new(struct loop *l, int fd, bool urgent, void (*fn)(void *),
                                  void *ctx); /* NULL when it cannot be polled */
void loop_watch_free(struct loop_watch **w);

/* Call fn on this signal from now on. */
int loop_signal(struct loop *l, int signum, void (*fn)(void *ctx, int signum), void *ctx,
                struct err *e) MUST_USE;

/* offload.c: what blocks, on a small pool of threads */

struct loop_job;
/*
 * `work` runs on a thread of the pool and may touch nothing but what ctx owns; `done` follows
 * on the loop, exactly once and never inside this call, and until then ctx must live. `ran` is
 * false when the job was cancelled before a thread took it. NULL: no memory, and no callback.
 * loop_free() waits for the jobs that are left.
 */
struct loop_job *loop_offload(struct loop *l, void (*work)(void *ctx),
                              void (*done)(void *ctx, bool ran), void *ctx) MUST_USE;
/*
 * The pool's threads, now: libuv makes them for the first job, and ends the program when there
 * is no memory for one. After loop_expect_conns(), which is quicker without threads.
 */
void loop_expect_jobs(struct loop *l);
/* Before `done`: if no thread has it yet it never runs. A running one has to notice itself. */
void loop_job_cancel(struct loop_job *j);

/* http.c: the server */

struct http_server;
struct http_req;

enum http_method {
    HTTP_GET,
    HTTP_HEAD,
    HTTP_POST,
    HTTP_PUT,
    HTTP_DELETE,
    HTTP_PATCH,
    HTTP_OPTIONS,
    HTTP_METHOD__COUNT
};
const char *http_method_text(enum http_method m);

struct http_cfg {
    const char *host; /* "0.0.0.0", "::", "localhost" or "unix:/path"; no names */
    int port;         /* 0: any free one */
    int inherited_fd; /* a listening socket given to us, or -1 */
    int backlog;
    size_t max_head;    /* request line and headers; 431 above */
    size_t max_body;    /* 413 above, told from Content-Length before reading */
    size_t max_bodies;  /* held at once by all connections together; 503 above; 0: no limit */
    uint32_t max_conns; /* above: 503 and close, counted */
    size_t max_queued;  /* bytes waiting for a slow reader before it is cut off */
    size_t max_queued_all; /* for all of them, but those on a budget; 0: no limit */
    int64_t head_ms;       /* the whole head must have come, since accept or its first byte */
    int64_t idle_ms;       /* between two requests */
    int64_t body_ms;       /* the whole body must have come */
    int64_t write_ms;      /* a reader that takes nothing for so long is cut off */
    int64_t last_ms; /* draining: so long who is quiet may still ask, once; 0: not at all */
    /* A whole request has come (head and body). Answer now or later, exactly once. */
    void (*on_request)(void *ctx, struct http_req *req);
    /* An answer's status is known (also those the server made itself: req may be NULL). */
    void (*on_answer)(void *ctx, struct http_req *req, int status);
    void *ctx;
    void (*on_deaf)(void *deaf_ctx); /* draining: nobody new is heard from now on; or NULL */
    void *deaf_ctx;
};

/* Why the server closed a connection: HTTP_CLOSE(NAME, "label", "text") in close.def. */
enum http_close {
#define HTTP_CLOSE(name, label, text) HTTP_CLOSE_##name,
#include "net/close.def"
#undef HTTP_CLOSE
    HTTP_CLOSE__COUNT
};
const char *http_close_label(enum http_close c);

struct http_stats {
    uint64_t accepted, requests;
    uint64_t closed[HTTP_CLOSE__COUNT];
    uint64_t rests;                /* connections that had to let others come first */
    uint32_t conns, streams, busy; /* now; busy: requests not yet answered whole */
    uint32_t sockets;              /* WebSockets, which count as streams */
    /* Memory now, as malloc gives it. */
    size_t bytes_conns;  /* connections, heads of requests, what was read ahead */
    size_t bytes_bodies; /* of requests */
    size_t bytes_queued; /* answers that wait for slow readers and are on no budget */
};

int http_server_new(struct loop *l, const struct http_cfg *cfg, struct http_server **ret,
                    struct err *e) MUST_USE;
int http_server_port(const struct http_server *s);
void http_server_stats(const struct http_server *s, struct http_stats *ret);
/*
 * Stop accepting, close idle connections (after last_ms: what they ask may be on its way), let
 * requests finish; `drained` is called when the
 * count of connections is zero. Streams are asked to end through their `on_drain`; what is
 * still open after `grace_ms` is cut.
 */
void http_server_drain(struct http_server *s, int64_t grace_ms, void (*drained)(void *),
                       void *ctx);
bool http_server_draining(const struct http_server *s);
/* After drained, or to cut everything; sockets are closed as the loop turns, or loop_free(). */
void http_server_free(struct http_server **s);

/*
 * The request. All texts are borrowed and valid until the answer is whole. A method that is
 * none of enum http_method was answered 501 by the server. A client that shuts its sending
 * side while its request is in progress counts as gone.
 */
enum http_method http_req_method(const struct http_req *r);
struct str http_req_path(const struct http_req *r);  /* percent-decoded, "/…" or "*" */
struct str http_req_query(const struct http_req *r); /* raw, without "?" */
/* {NULL, 0} when there is none. */
struct str http_req_header(const struct http_req *r, const char *lower_name);
struct str http_req_body(const struct http_req *r);
struct str http_req_peer(const struct http_req *r); /* "127.0.0.1" */
bool http_req_loopback(const struct http_req *r);
uint64_t http_req_started_ns(const struct http_req *r); /* when its last byte came */
/*
 * One parameter of the query, form-decoded into `out`. False: not there, or badly encoded, or,
 * when `out` is full then, no memory for it.
 */
bool http_req_param(const struct http_req *r, const char *name, struct buf *out);
/* The owner's own word on a request; NULL at first. */
void http_req_set_ctx(struct http_req *r, void *ctx);
void *http_req_ctx(const struct http_req *r);
/* The client is gone before the answer was whole: called once, then `r` is dead. */
void http_req_on_gone(struct http_req *r, void (*fn)(void *ctx, struct http_req *r));

/*
 * The answer. Headers first (any number), then one of: http_answer, http_stream_begin. The
 * server's own are Content-Type, Content-Length, Transfer-Encoding, Connection and Date. Line
 * ends and other control characters in a value become spaces.
 */
void http_header(struct http_req *r, const char *name, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Content-Length and, for HEAD, no body. Afterwards `r` is dead. `body` is copied. */
void http_answer(struct http_req *r, int status, const char *content_type, const void *body,
                 size_t len);
/* As http_answer, but `body` is static: it is not copied. Does Range and 304 (etag quoted). */
void http_answer_file(struct http_req *r, const char *content_type, const char *etag,
                      const void *body, size_t len);
/* A body of unknown length (chunked). The request stays alive until end, or gone. */
void http_stream_begin(struct http_req *r, int status, const char *content_type);
/*
 * Returns the bytes waiting to be sent; above cfg.max_queued the reader is cut off (on_gone
 * comes later, never inside this call). With len 0 it only tells.
 */
size_t http_stream_write(struct http_req *r, const void *data, size_t len);
/* Called, not inside a call from above, whenever all that waited for this reader was sent. */
void http_stream_on_room(struct http_req *r, void (*fn)(void *ctx, struct http_req *r));
/*
 * From now on what waits for this reader is charged to `b` before it is kept; NULL: to nobody
 * but the server. What waits already moves along, as far as it fits. A reader whose queue would
 * have to grow beyond the budget is cut off instead (session_memory). `b` must live until
 * another call, or until the request is dead: then what still waits is the server's own again.
 */
void http_req_charge(struct http_req *r, struct budget *b);
/*
 * This stream may stay for hours and say little: let go of what the request said. Its texts
 * (path, query, headers, body) are empty from now on. Returns the request, which may have
 * moved.
 */
struct http_req *http_stream_settle(struct http_req *r) MUST_USE;
void http_stream_end(struct http_req *r); /* afterwards `r` is dead */
/* What comes next cannot be said: end without an end (on_gone comes later, not inside). */
void http_stream_cut(struct http_req *r);
/* Called on drain: finish soon with http_stream_end(). Without one the stream is ended. */
void http_stream_on_drain(struct http_req *r, void (*fn)(void *ctx, struct http_req *r));
