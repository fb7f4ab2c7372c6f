/* A WebSocket on an upgraded connection of our server. */
#include "net/ws_int.h"

#include <stdlib.h>
#include <string.h>

static struct ws *of(struct http_req *r)
{
    return r->ws;
}

static enum ws_end end_of(enum http_close why)
{
    switch (why) {
    case HTTP_CLOSE_STALLED:
        return WS_SLOW;
    case HTTP_CLOSE_BUDGET:
        return WS_BUDGET;
    case HTTP_CLOSE_MEMORY:
        return WS_MEMORY;
    case HTTP_CLOSE_DRAIN:
        return WS_DRAIN;
    default:
        return WS_GONE;
    }
}

static enum http_close close_of(enum ws_end why)
{
    switch (why) {
    case WS_SLOW:
    case WS_SILENT:
        return HTTP_CLOSE_STALLED;
    case WS_BUDGET:
        return HTTP_CLOSE_BUDGET;
    case WS_MEMORY:
        return HTTP_CLOSE_MEMORY;
    case WS_CLOSED:
        return HTTP_CLOSE_ASKED;
    case WS_PROTOCOL:
        return HTTP_CLOSE_BAD_REQUEST;
    default:
        return HTTP_CLOSE_GONE;
    }
}

/* The request knows it no more. */
static void part(struct ws *w)
{
    struct http_req *r = w->req;

    if (!r)
        return;
    r->conn->server->conn_bytes -= net__block(sizeof(*w)) + WS_BYTES;
    r->conn->server->stats.sockets--;
    r->ws = NULL;
    r->on_gone = NULL;
    r->on_room = NULL;
    r->on_drain = NULL;
    w->req = NULL;
    list_remove(&w->link);
}

static void flush(struct ws *w)
{
    uv_buf_t one = uv_buf_init(w->out.data, (unsigned)w->out.len);

    http_conn__send(w->req->conn, &one, 1, false);
    buf_clear(&w->out);
}

static size_t queued(const struct ws *w)
{
    return w->req ? http_conn__queued(w->req->conn) : 0;
}

static void hold(struct ws *w)
{
    if (w->req)
        http_conn__hold(w->req->conn, w->paused);
}

static bool charge(struct ws *w, struct budget *b)
{
    struct http_req *r = w->req;
    const struct out *o = r ? r->conn->out : NULL;

    if (o && b && o->budget != b && !budget_fits(b, o->charged))
        return false;
    if (r)
        http_req_charge(r, b);
    return true;
}

static bool hang_up(struct ws *w)
{
    struct http_req *r = w->req;
    enum http_close why = close_of((enum ws_end)w->why);

    part(w);
    http_answer__switch_end(r, why);
    return true;
}

static void fail(struct ws *w)
{
    if (w->req)
        http_conn__doom(w->req->conn, close_of((enum ws_end)w->why));
}

static void drop(struct ws *w)
{
    struct http_req *r = w->req;

    part(w);
    if (r)
        http_conn__doom(r->conn, HTTP_CLOSE_ASKED);
    ws__free(w);
}

static const struct ws_line line = {.flush = flush,
                                    .queued = queued,
                                    .pause = hold,
                                    .charge = charge,
                                    .hang_up = hang_up,
                                    .fail = fail,
                                    .drop = drop};

static void on_gone(void *ctx, struct http_req *r)
{
    struct ws *w = of(r);

    (void)ctx;
    if (w->why == WS__COUNT)
        w->why = (uint8_t)end_of((enum http_close)r->conn->why);
    part(w);
    ws__tell(w);
}

static void on_room(void *ctx, struct http_req *r)
{
    (void)ctx;
    ws__drained(of(r));
}

static void on_drain(void *ctx, struct http_req *r)
{
    struct ws *w = of(r);

    (void)ctx;
    if (w->cfg.sink.draining && w->why == WS__COUNT && !w->closing)
        w->cfg.sink.draining(w->cfg.sink.ctx);
    else
        ws_close(w, WS_GOING_AWAY, "the server is shutting down");
}

static void on_bytes(struct http_req *r, const char *data, size_t len)
{
    ws__feed(of(r), data, len);
}

void ws__server_sweep(struct http_server *s, int64_t now)
{
    LIST_EACH(at, after, &s->sockets)
    {
        ws__sweep(LIST_ITEM(at, struct ws, link), now);
    }
}

bool ws_asked(const struct http_req *r)
{
    return ws__has_word(http_req_header(r, "upgrade"), "websocket");
}

/* RFC 6455 section 4.2.1. */
static int check(struct http_req *r, struct str *ret_key, struct err *e)
{
    struct str version = http_req_header(r, "sec-websocket-version");

    *ret_key = http_req_header(r, "sec-websocket-key");
    if (!ws_asked(r) || !str_eq(version, "13")) {
        http_header(r, "Upgrade", "websocket");
        http_header(r, "Sec-WebSocket-Version", "13");
        return err_set(e, ERR_UPGRADE, 0, "%s",
                       ws_asked(r) ? "The Sec-WebSocket-Version must be 13."
                                   : err_sentence(ERR_UPGRADE));
    }
    if (http_req_method(r) != HTTP_GET || !r->http_1_1)
        return err_set(e, ERR_INVALID, 0, "A WebSocket is opened with GET and HTTP/1.1.");
    if (!ws__has_word(http_req_header(r, "connection"), "upgrade"))
        return err_set(e, ERR_INVALID, 0, "A WebSocket is opened with 'Connection: Upgrade'.");
    if (r->body_len || r->chunked_body)
        return err_set(e, ERR_INVALID, 0, "A request that opens a WebSocket has no body.");
    if (!ws__key_valid(*ret_key))
        return err_set(e, ERR_INVALID, 0,
                       "The Sec-WebSocket-Key must be 16 random bytes in base64.");
    return 0;
}

int ws_accept(struct http_req *r, const struct ws_cfg *cfg, struct ws **ret, struct err *e)
{
    struct http_server *s = r->conn->server;
    char accept[29];
    struct str key;

    if (check(r, &key, e) < 0)
        return -1;
    if (s->draining)
        return err_set(e, ERR_DRAINING, 0, "%s", err_sentence(ERR_DRAINING));
    struct ws *w = ws__new(cfg, &line, s->loop, false);
    if (!w)
        return err_set(e, ERR_NOMEM, 0, "%s", err_sentence(ERR_NOMEM));
    ws__accept_key(key, accept);
    http_answer__switch(r, accept);
    r = http_stream_settle(r);
    r->ws = w;
    r->on_bytes = on_bytes;
    w->req = r;
    s->conn_bytes += net__block(sizeof(*w)) + WS_BYTES;
    s->stats.sockets++;
    list_append(&s->sockets, &w->link);
    http_req_on_gone(r, on_gone);
    http_stream_on_room(r, on_room);
    http_stream_on_drain(r, on_drain);
    *ret = w;
    return 0;
}
