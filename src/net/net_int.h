/*
 * Private to net/: the loop, and how the files of the HTTP server know each other.
 *
 * A connection is always in one state, and a state is a list: http_conn__move() is the only
 * writer. A state's time limit is the same for everybody in it, so its list is in the order of
 * the deadlines, and one timer of the server looks at the heads of the lists. Nothing is closed
 * inside a call from above: http_conn__doom() leaves it to the end of the loop's turn, so a
 * request never dies in its owner's hands.
 */
#pragma once

#include "base/buf.h"
#include "base/list.h"
#include "memory/memory.h"
#include "net/net.h"
#include "net/parse.h"

#include <uv.h>

struct loop_signal;

struct loop {
    uv_loop_t uv;
    struct loop_signal *signals;
    unsigned jobs; /* on the pool, or not yet told */
};

enum conn_state {
    CONN_IDLE,   /* between requests, no byte of the next one */
    CONN_HEAD,   /* reading a head, or new and still silent */
    CONN_BODY,   /* reading a body */
    CONN_BUSY,   /* the owner has the request */
    CONN_STREAM, /* the owner streams the answer */
    CONN_FLUSH,  /* the answer is ours alone and not yet sent whole */
    CONN_LINGER, /* our side is shut; what still comes is thrown away, so no RST eats the answer
                  */
    CONN_CLOSED, /* libuv closes it */
    CONN__COUNT
};

#define CONN_MAGIC 0x6e6e6f63u
#define REQ_MAGIC 0x71657268u
#define READ_SMALL ((size_t)16 * 1024) /* one read, and so the most that is read ahead */
#define READ_LARGE ((size_t)64 * 1024) /* one read of a body */
#define JOINED_MAX ((size_t)8 * 1024)  /* a body up to this travels in the head's buffer */
#define HEAD_ROOM ((size_t)4 * 1024)   /* of an answer, without asking for memory */
#define LINGER_MS 2000
#define OTHER_FDS 256u /* beside the connections: the store's files, those that close */
#define OVERFLOW_CONNS                                                                         \
    64u /* above max_conns: so many are told why, the rest is just closed                      \
         */

/* Exists while a client does not take what we have. */
struct out {
    uv_write_t uv;
    struct conn *conn;
    struct list link; /* server->stalled, in the order of deadlines */
    int64_t deadline;
    uint64_t put; /* bytes given to this queue */
    int64_t mark; /* what the client had taken at the last look; below 0: older bytes */
    char *flying; /* what libuv is writing, when it is ours */
    size_t flying_cap;
    struct buf next; /* what comes behind it */
    struct buf_mem mem;
    struct budget *budget; /* who pays for it; NULL: server->queued counts it */
    size_t charged;        /* so much, in the one place or the other */
    bool refused;          /* the budget had no room */
};

struct conn {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } uv; /* first: libuv hands it back */
    uint32_t magic;
    uint8_t state;     /* enum conn_state, written by http_conn__move() */
    uint8_t why;       /* enum http_close: the first reason given, HTTP_CLOSE__COUNT: none */
    bool feeding;      /* http_conn__feed() is on the stack */
    bool paused;       /* reading is stopped: too much was read ahead, or it is held up */
    bool held;         /* its WebSocket reads nothing more for now */
    bool eof;          /* the client sends no more */
    bool doomed;       /* to be closed at the end of the turn */
    bool close_after;  /* when the answer is out */
    struct list link;  /* server->states[state] */
    struct list ready; /* server->ready */
    struct list hush;  /* server->paused, while `paused` */
    int64_t deadline;
    int64_t rest_until; /* 0: not resting; else paused, and nothing of it is used until then */
    struct http_server *server;
    struct http_req *req; /* being read, or with its owner */
    struct out *out;
    char *in; /* bytes read and not used yet; NULL when there are none */
    uint32_t in_len, in_cap;
    struct http_head_scan scan;
    char *peer;
};

struct http_req {
    uint32_t magic;
    uint8_t method;
    bool http_1_1, keep_alive;
    bool chunked_body, chunked_answer, no_body; /* no_body: HEAD, 204, 304 */
    bool streaming, gone, drain_told;
    struct conn *conn;
    void *ctx;
    void (*on_gone)(void *ctx, struct http_req *r);
    void (*on_drain)(void *ctx, struct http_req *r);
    void (*on_room)(void *ctx, struct http_req *r);
    /* Upgraded: what the client sends from now on, and whose it is. */
    void (*on_bytes)(struct http_req *r, const char *data, size_t len);
    struct ws *ws;
    struct budget *budget; /* for what waits for its reader, or NULL */
    uint64_t started_ns;
    uint64_t body_left; /* of Content-Length */
    struct http_chunked chunked;
    char *body;
    size_t body_len, body_cap; /* body_cap is counted in server->bodies */
    struct buf headers;        /* the answer's, from http_header() */
    uint32_t path_len, query_len, headers_len;
    char text[]; /* path, NUL, query, NUL, header lines */
};

struct http_server {
    struct http_cfg cfg;
    struct loop *loop;
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } listener;
    uv_timer_t tick;  /* looks at deadlines while there are connections */
    uv_timer_t grace; /* the end of a drain */
    uv_timer_t last;  /* after its beginning: who is quiet is closed */
    uv_timer_t rest;  /* the next one that has rested enough */
    uv_check_t check; /* the end of a turn, when there is something for it */
    uv_idle_t idle;   /* makes that turn come at once */
    char *unix_path;  /* a socket file that is ours to remove, or NULL */
    bool unix_socket, draining, listening, freed, drain_begun;
    bool turn_wanted;
    bool unaccepted; /* a client waits for us to have the memory for its connection */
    int port;
    unsigned handles;              /* open libuv handles; freed at none */
    size_t bodies;                 /* memory of request bodies */
    size_t conn_bytes;             /* memory of connections and heads */
    size_t queued;                 /* memory of answers that are on no budget */
    unsigned all_conns;            /* also those that close */
    int64_t limit_ms[CONN__COUNT]; /* 0: no limit */
    int64_t tick_ms;
    struct list states[CONN__COUNT];
    uint32_t in_state[CONN__COUNT];
    struct list stalled;
    struct list sockets; /* struct ws */
    struct list ready;
    struct list paused; /* read nothing, so they are asked now and then whether they live */
    struct http_stats stats;
    void (*drained)(void *ctx);
    void *drained_ctx;
    struct buf scratch; /* an answer's head; has room from the start */
    int64_t date_at;
    char date[40]; /* "Date: …\r\n" */
    char peer[48]; /* an address there was no memory to keep */
    char read[READ_LARGE];
};

/* http.c */
void http_server__want_turn(struct http_server *s);
void http_server__conn_closed(struct http_server *s);

/* http_conn.c */
void http_conn__accept(struct http_server *s);
void http_conn__move(struct conn *c, enum conn_state to);
void http_conn__doom(struct conn *c, enum http_close why);
void http_conn__close(struct conn *c, enum http_close why);
void http_conn__next(
    struct conn *c); /* the answer is out: close, or wait for the next request */
void http_conn__turn(struct conn *c); /* at the end of a turn, for conns on server->ready */
void http_conn__ready(struct conn *c);
void http_conn__sweep(struct http_server *s);
/* A request of it took the loop so long: the others come first for a while. */
void http_conn__rest(struct conn *c, uint64_t took_ns);
void http_conn__rested(struct http_server *s); /* a drain: nobody rests any more */
void http_conn__hold(struct conn *c, bool held);

/* http_read.c: bytes to requests */
void http_conn__feed(struct conn *c, const char *data, size_t len);
void http_conn__drop_kept(struct conn *c);

/* What a block of n bytes takes of the heap. */
static inline size_t net__block(size_t n)
{
    return n ? (n + sizeof(size_t) + 15) & ~(size_t)15 : 0;
}

/* http_out.c */
void http_out__charge(struct conn *c, struct budget *b); /* who pays for the queue */
void http_conn__send(struct conn *c, const uv_buf_t *bufs, unsigned count, bool last_is_static);
size_t http_conn__queued(const struct conn *c);
void http_out__sweep(struct http_server *s, int64_t now);

/* http_answer.c */
void http_answer__refuse(struct conn *c, enum refusal why);
void http_answer__send(struct http_req *r, int status, const char *content_type,
                       const void *body, size_t len, bool body_is_static);
void http_answer__continue(struct conn *c); /* 100 */
/* 101: the connection is a WebSocket from now on, until switch_end(), when `r` is dead. */
void http_answer__switch(struct http_req *r, const char *accept);
void http_answer__switch_end(struct http_req *r, enum http_close why);

/* http_req.c */
struct http_req *http_req__new(const struct http_head *h, struct conn *c);
bool http_req__add_body(struct http_req *r, const char *data, size_t len, uint64_t expect);
void http_req__free(struct http_req **r);
