/*
 * Private to net/: WebSockets. ws.c has their life and what they send, ws_read.c what they
 * read, ws_shake.c the handshakes as pure functions; ws_server.c and ws_client.c bring the
 * bytes, each behind a struct ws_line, and ws_connect.c makes the client's connection.
 */
#pragma once

#include "base/curl.h"
#include "net/client_int.h"
#include "net/net_int.h"
#include "net/ws.h"

#include <wslay/wslay.h>

#define WS_MAGIC 0x6b736577u
#define WS_CLOSE_MS 5000 /* the peer's answer to our close, and what is left to send */
#define WS_BYTES ((size_t)5 * 1024) /* of wslay's own, for one WebSocket */
#define WS_PER_FRAME 14u            /* the longest head of a frame */

/* How the bytes travel. None of them calls the sink. */
struct ws_line {
    void (*flush)(struct ws *w); /* w->out has grown: take from it what can go */
    size_t (*queued)(const struct ws *w);
    void (*pause)(struct ws *w);                    /* w->paused has changed */
    bool (*charge)(struct ws *w, struct budget *b); /* NULL: all is in w->mem */
    bool (*hang_up)(struct ws *w); /* send what waits, then end. False: ws__tell() later */
    void (*fail)(struct ws *w);    /* w->why is set: end soon, with ws__tell(), not inside */
    void (*drop)(struct ws *w);    /* end at once and ws__free(), nobody is told */
    /* Before `w` is freed. False: ws__free() has to be called again. NULL: nothing to do. */
    bool (*release)(struct ws *w);
};

struct ws_mem { /* what is read and what waits: charged before it is there */
    struct buf_mem mem;
    struct budget *budget;
    size_t charged;
    bool refused;
};

enum ws_client_phase { WS_CONNECTING, WS_SHAKING, WS_REFUSING, WS_OPEN };

struct ws_phase_client {
    struct http_client *client;
    struct http_tag tag;
    CURL *easy;
    uv_poll_t *poll;
    struct buf head; /* the request, then the answer's head and body */
    struct http_head_scan scan;
    struct http_chunked chunked;
    size_t head_len; /* 0: it is not whole */
    uint64_t body_left;
    uint8_t phase; /* enum ws_client_phase */
    bool body_chunked, body_to_end;
    bool added;
    bool more; /* there may be more to read that no poll tells of */
    char key[25], where[96];
    char *flying; /* what is being sent, and stays where it is until it was */
    size_t flying_len, flying_cap, flown;
    int64_t began_ms, open_ms;
    char detail[CURL_ERROR_SIZE];
};

struct ws {
    uint32_t magic;
    const struct ws_line *line;
    struct ws_cfg cfg;
    wslay_event_context_ptr frames;
    struct list link; /* among its server's, or its client's */
    struct loop *loop;
    struct ws_mem mem;
    struct buf in;  /* the message that is being read */
    struct buf out; /* written, and not yet with the line */
    const char *feed;
    size_t feed_len;
    unsigned inside; /* the sink has the word, or the frames */
    bool server;
    bool in_binary, in_control, in_close;
    bool closing; /* we said goodbye */
    bool leaving; /* nothing more is read; hang up */
    bool failed;  /* ws__tell() comes */
    bool paused;
    bool cut;                            /* by its owner: freed when nobody is inside */
    bool told;                           /* `closed` was called */
    bool pinged;                         /* and nothing was heard since */
    uint8_t why;                         /* enum ws_end; WS__COUNT: none yet */
    int code;                            /* of the peer's close */
    char goodbye[2 + WS_REASON_MAX + 1]; /* the peer's close: code and reason */
    size_t goodbye_len, goodbye_want;
    int64_t heard_ms, deadline_ms; /* deadline: of a close; 0: none */
    char more[160];                /* the second part of the sentence */
    struct http_req *req;          /* server */
    struct ws_phase_client c;
    int status; /* client: of a refusal */
    int64_t retry_after_s;
    size_t body_len; /* of a refusal, in c.head behind head_len */
};

/* ws.c */
struct ws *ws__new(const struct ws_cfg *cfg, const struct ws_line *line, struct loop *l,
                   bool client); /* NULL: no memory */
void ws__free(struct ws *w);
void ws__drained(struct ws *w);               /* the line has sent all it had */
void ws__fail(struct ws *w, enum ws_end why); /* the first reason stays */
void ws__tell(struct ws *w);                  /* calls `closed`, frees `w` */
/* Deadlines, a few times a second. False: it ended (through ws__fail). */
bool ws__sweep(struct ws *w, int64_t now);
void ws__enter(struct ws *w);
bool ws__leave(struct ws *w);  /* false: its owner has cut it meanwhile, and it is dead */
void ws__push(struct ws *w);   /* what the frames have to say goes to the line; may fail it */
void ws__empty(struct buf *b); /* and keep a little of it */
enum ws_end ws__no_room(const struct ws *w); /* why a buffer of its did not grow */

/* ws_read.c */
void ws__read_callbacks(struct wslay_event_callbacks *calls); /* those for what comes */
/* Bytes came. Calls the sink. False: it ended inside, `w` may be dead. */
bool ws__feed(struct ws *w, const char *data, size_t len);

/* ws_shake.c */
void ws__accept_key(struct str key, char ret[29]);
bool ws__key_valid(struct str key);                   /* 16 bytes in base64 */
bool ws__has_word(struct str list, const char *word); /* of "a, b", without case */
struct ws_url {
    bool tls;
    struct str host; /* with its port, as Host: says it */
    struct str path; /* with the query; empty: "/" */
};
bool ws__url_parse(const char *url, struct ws_url *ret);
struct ws_answer {
    int status;
    int64_t retry_after_s;
    uint64_t length;
    bool has_length, chunked;
    const char *wrong; /* status 101: why it is no handshake; NULL: it is one */
};
/* A whole head, as http_head_scan() let it pass. False: it is not HTTP. */
bool ws__answer_parse(const char *head, size_t len, const char *key, struct ws_answer *ret);

/* ws_server.c */
void ws__server_sweep(struct http_server *s, int64_t now);

/* ws_connect.c */
void ws__client_start(struct http_client *c); /* after libcurl had the word */
void ws__client_connected(struct ws *w, CURLcode code);
void ws__client_answer(struct ws *w, const char *data, size_t len); /* until it is open */
void ws__client_refused(struct ws *w); /* no more comes of the refusal's body */

/* ws_client.c */
extern const struct ws_line ws__client_line;
void ws__client_write(struct ws *w); /* what waits, as far as it can go; may fail it */
void ws__client_poll(struct ws *w);  /* for what is to be read and written now */
void ws__client_settle(struct http_client *c);
void ws__client_sweep(struct http_client *c, int64_t now);
void ws__client_end(struct http_client *c); /* the client goes */
