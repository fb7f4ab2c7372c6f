/*
 * What the tests of our client's WebSockets share: both roles on one loop, the client's `t.c`
 * and the server's `t.s`, and what each has heard.
 */
#pragma once

#include "net/ws.h"
#include "unit/net/loopback.h"

#include <stdio.h>
#include <string.h>

struct side {
    struct ws *ws;
    struct buf got;
    int opened, closed, drained, draining;
    struct ws_closed last;
    char reason[WS_REASON_MAX + 1], said[240], body[WS_REFUSAL_MAX + 1];
};

static struct {
    struct side c, s;
    struct ws_cfg cfg;
    int answered;
    bool echo, drained, hold_drain;
    char authorization[64];
} t;

static void hear(void *ctx, bool binary, const char *data, size_t len)
{
    struct side *x = ctx;

    buf_printf(&x->got, "%c", binary ? 'b' : 't');
    buf_add(&x->got, data, len);
    if (t.echo && x == &t.s)
        ws_send(x->ws, binary, data, len);
}

static void hear_open(void *ctx)
{
    ((struct side *)ctx)->opened++;
}

static void hear_drained(void *ctx)
{
    ((struct side *)ctx)->drained++;
}

static void hear_draining(void *ctx)
{
    struct side *x = ctx;

    x->draining++;
    if (!t.hold_drain)
        ws_close(x->ws, WS_GOING_AWAY, "bye");
}

static void hear_closed(void *ctx, const struct ws_closed *c)
{
    struct side *x = ctx;

    x->closed++;
    x->last = *c;
    x->ws = NULL;
    snprintf(x->reason, sizeof(x->reason), "%.*s", STR_FMT(c->reason));
    snprintf(x->said, sizeof(x->said), "%s", c->e.msg);
    snprintf(x->body, sizeof(x->body), "%.*s", (int)c->body.len,
             c->body.len ? c->body.data : "");
}

static struct ws_sink sink_of(struct side *x)
{
    return (struct ws_sink){x, hear_open, hear, hear_drained, hear_draining, hear_closed};
}

static void on_request(void *ctx, struct http_req *req)
{
    struct str path = http_req_path(req), auth = http_req_header(req, "authorization");
    struct err e = {0};

    (void)ctx;
    snprintf(t.authorization, sizeof(t.authorization), "%.*s", STR_FMT(auth));
    if (str_eq(path, "/busy")) {
        http_header(req, "Retry-After", "3");
        http_answer(req, 429, "application/json", "{\"title\":\"slow\"}", 16);
        return;
    }
    if (str_eq(path, "/chunks")) {
        http_stream_begin(req, 402, "text/plain");
        http_stream_write(req, "no ", 3);
        http_stream_write(req, "money", 5);
        http_stream_end(req);
        return;
    }
    struct ws_cfg cfg = t.cfg;
    cfg.sink = sink_of(&t.s);
    if (ws_accept(req, &cfg, &t.s.ws, &e) < 0)
        http_answer(req, err_status(e.code), "text/plain", e.msg, strlen(e.msg));
}

static void on_answer(void *ctx, struct http_req *req, int status)
{
    (void)ctx;
    (void)req;
    t.answered = status;
}

static void begin(void)
{
    memset(&t, 0, sizeof(t));
    t.cfg = (struct ws_cfg){.max_message = 1 << 20, .max_queued = 1 << 20};
    local_begin(on_request, on_answer);
}

static void finish(void)
{
    local_end();
    buf_release(&t.c.got);
    buf_release(&t.s.got);
}

static void ask(const char *path, int64_t open_ms)
{
    static const char *const headers[] = {"Authorization: Bearer s3cret", NULL};
    char url[128];
    struct err e = {0};
    struct ws_ask a = {.url = url, .headers = headers, .open_ms = open_ms, .cfg = t.cfg};

    snprintf(url, sizeof(url), "ws://127.0.0.1:%d%s", local.port, path);
    a.cfg.sink = sink_of(&t.c);
    CHECK_INT(ws_connect(local.client, &a, &t.c.ws, &e), 0);
    CHECK_STR(e.msg, "");
}

static bool client_closed(void)
{
    return t.c.closed;
}
