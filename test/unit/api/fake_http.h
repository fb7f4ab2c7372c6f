/*
 * The HTTP server as api/ sees it: a request is made of texts, its answer is kept, and as with
 * the real one it is dead (freed) once its answer is whole or its client has left.
 */
#pragma once

#include "api/api_int.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct answer {
    int status;
    struct buf headers, body;
    bool whole;            /* nothing comes after */
    bool cut;              /* by http_stream_cut() */
    struct http_req *from; /* NULL when whole or gone */
};

struct http_req {
    enum http_method method;
    char path[64], query[256], headers[8][2][160];
    char *body; /* exactly as long as it is, so that reading beyond is seen */
    size_t body_len;
    const char *peer; /* "127.0.0.1" at first */
    void *ctx;
    void (*on_gone)(void *ctx, struct http_req *r);
    void (*on_room)(void *ctx, struct http_req *r);
    void (*on_drain)(void *ctx, struct http_req *r);
    struct answer *to;
    struct budget *budget; /* given with http_req_charge() */
    bool streaming;
};

static struct http_req *fake_request(enum http_method method, const char *path,
                                     const char *query, const void *body, size_t len)
{
    struct http_req *r = calloc(1, sizeof(*r));

    r->method = method;
    r->peer = "127.0.0.1";
    snprintf(r->path, sizeof(r->path), "%s", path);
    snprintf(r->query, sizeof(r->query), "%s", query);
    r->body = malloc(len ? len : 1);
    if (len)
        memcpy(r->body, body, len);
    r->body_len = len;
    return r;
}

static void fake_header(struct http_req *r, const char *name, const char *value)
{
    for (int i = 0; i < 8; i++) {
        if (r->headers[i][0][0])
            continue;
        snprintf(r->headers[i][0], sizeof(r->headers[i][0]), "%s", name);
        snprintf(r->headers[i][1], sizeof(r->headers[i][1]), "%s", value);
        return;
    }
    abort();
}

static void fake_free(struct http_req *r)
{
    r->to->from = NULL;
    free(r->body);
    free(r);
}

/* The answer's whole is found in *to when it has come. */
static void fake_send(struct api *a, struct http_req *r, struct answer *to)
{
    *to = (struct answer){.from = r};
    r->to = to;
    api_on_request(a, r);
}

static void fake_leave(struct answer *to)
{
    struct http_req *r = to->from;

    if (!r)
        return;
    if (r->on_gone)
        r->on_gone(r->ctx, r);
    fake_free(r);
}

static inline void fake_drain(struct answer *to)
{
    to->from->on_drain(to->from->ctx, to->from);
}

static void answer_release(struct answer *a)
{
    buf_release(&a->headers);
    buf_release(&a->body);
}

enum http_method http_req_method(const struct http_req *r)
{
    return r->method;
}

struct str http_req_path(const struct http_req *r)
{
    return str_of(r->path);
}

struct str http_req_query(const struct http_req *r)
{
    return str_of(r->query);
}

struct str http_req_peer(const struct http_req *r)
{
    return str_of(r->peer);
}

bool http_req_loopback(const struct http_req *r)
{
    return strcmp(r->peer, "unix") == 0 || strncmp(r->peer, "127.", 4) == 0;
}

struct str http_req_header(const struct http_req *r, const char *lower_name)
{
    for (int i = 0; i < 8; i++)
        if (strcmp(r->headers[i][0], lower_name) == 0)
            return str_of(r->headers[i][1]);
    return (struct str){NULL, 0};
}

struct str http_req_body(const struct http_req *r)
{
    return (struct str){r->body, r->body_len};
}

uint64_t http_req_started_ns(const struct http_req *r)
{
    (void)r;
    return 0;
}

/* No percent-decoding: these tests do not need it. */
bool http_req_param(const struct http_req *r, const char *name, struct buf *out)
{
    size_t n = strlen(name);

    for (const char *at = r->query; *at; at += strcspn(at, "&"), at += *at == '&') {
        if (strncmp(at, name, n) != 0 || at[n] != '=')
            continue;
        buf_add(out, at + n + 1, strcspn(at + n + 1, "&"));
        return true;
    }
    return false;
}

void http_req_set_ctx(struct http_req *r, void *ctx)
{
    r->ctx = ctx;
}

void *http_req_ctx(const struct http_req *r)
{
    return r->ctx;
}

void http_req_on_gone(struct http_req *r, void (*fn)(void *ctx, struct http_req *r))
{
    r->on_gone = fn;
}

void http_header(struct http_req *r, const char *name, const char *fmt, ...)
{
    va_list ap;

    MUST(!r->streaming && !r->to->status);
    buf_printf(&r->to->headers, "%s: ", name);
    va_start(ap, fmt);
    buf_vprintf(&r->to->headers, fmt, ap);
    va_end(ap);
    buf_char(&r->to->headers, '\n');
}

/* Counted by route: its context must be alive. */
static void begin_answer(struct http_req *r, int status)
{
    MUST(!r->to->status && status >= 200);
    MUST(((const struct api_call *)r->ctx)->route < ROUTE__COUNT);
    r->to->status = status;
}

void http_answer(struct http_req *r, int status, const char *content_type, const void *body,
                 size_t len)
{
    (void)content_type;
    begin_answer(r, status);
    buf_add(&r->to->body, body, len);
    r->to->whole = true;
    fake_free(r);
}

void http_answer_file(struct http_req *r, const char *content_type, const char *etag,
                      const void *body, size_t len)
{
    (void)etag;
    http_answer(r, 200, content_type, body, len);
}

void http_stream_begin(struct http_req *r, int status, const char *content_type)
{
    (void)content_type;
    begin_answer(r, status);
    r->streaming = true;
}

static size_t fake_waiting; /* what every reader has not taken yet */

size_t http_stream_write(struct http_req *r, const void *data, size_t len)
{
    MUST(r->streaming);
    buf_add(&r->to->body, data, len);
    return fake_waiting;
}

void http_stream_on_room(struct http_req *r, void (*fn)(void *ctx, struct http_req *r))
{
    MUST(r->streaming);
    r->on_room = fn;
}

void http_stream_cut(struct http_req *r)
{
    MUST(r->streaming);
    r->to->cut = true;
}

void http_stream_end(struct http_req *r)
{
    MUST(r->streaming);
    r->to->whole = true;
    fake_free(r);
}

void http_stream_on_drain(struct http_req *r, void (*fn)(void *ctx, struct http_req *r))
{
    MUST(r->streaming);
    r->on_drain = fn;
}

void http_req_charge(struct http_req *r, struct budget *b)
{
    r->budget = b;
}

/* It always moves, so that a pointer to where it was is seen. */
struct http_req *http_stream_settle(struct http_req *r)
{
    struct http_req *moved = malloc(sizeof(*r));

    MUST(r->streaming);
    *moved = *r;
    moved->to->from = moved;
    memset(moved->headers, 0, sizeof(moved->headers));
    moved->path[0] = moved->query[0] = '\0';
    free(r);
    return moved;
}

/* What ops/ asks of a server; there is none. */

void http_server_stats(const struct http_server *s, struct http_stats *ret)
{
    (void)s;
    memset(ret, 0, sizeof(*ret));
}

bool http_server_draining(const struct http_server *s)
{
    return s != NULL;
}

const char *http_close_label(enum http_close c)
{
    return c < HTTP_CLOSE__COUNT ? "some" : "none";
}

/* Nobody upgrades here: WebSockets have their tests over real ones (test/e2e/test_ears.py). */

int ws_accept(struct http_req *r, const struct ws_cfg *cfg, struct ws **ret, struct err *e)
{
    (void)r;
    (void)cfg;
    (void)ret;
    return err_set(e, ERR_UPGRADE, 0, "%s", err_sentence(ERR_UPGRADE));
}
