#include "net/net_int.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const struct {
    int status;
    uint8_t close;
    const char *code, *detail;
} refusals[] = {
    [REFUSE_NONE] = {500, HTTP_CLOSE_BAD_REQUEST, "internal", ""},
#define REFUSE(name, status, code, close, detail)                                              \
    [REFUSE_##name] = {status, HTTP_CLOSE_##close, code, detail},
#include "net/refuse.def"
#undef REFUSE
};

static const char *status_text(int status)
{
    switch (status) {
#define HTTP_STATUS(code, text)                                                                \
    case code:                                                                                 \
        return text;
#include "net/status.def"
#undef HTTP_STATUS
    }
    return "Status";
}

/* No byte of a value may end its line. */
static void clean(char *s, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)s[i];
        if ((c < 0x20 && c != '\t') || c == 0x7F)
            s[i] = ' ';
    }
}

static const char *date_line(struct http_server *s)
{
    int64_t now = loop_unix_s();

    if (now != s->date_at) {
        time_t t = (time_t)now;
        struct tm tm;
        s->date_at = now;
        strftime(s->date, sizeof(s->date), "Date: %a, %d %b %Y %H:%M:%S GMT\r\n",
                 gmtime_r(&t, &tm));
    }
    return s->date;
}

static void add_number(struct buf *b, size_t n, unsigned base)
{
    char text[24];
    size_t at = sizeof(text);

    do {
        text[--at] = "0123456789abcdef"[n % base];
        n /= base;
    } while (n);
    buf_add(b, text + at, sizeof(text) - at);
}

static bool server_owns(const char *name)
{
    static const char *const names[] = {"Content-Length", "Transfer-Encoding", "Connection",
                                        "Content-Type", "Date"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (str_eq_nocase(str_of(name), names[i]))
            return true;
    }
    return false;
}

void http_header(struct http_req *r, const char *name, const char *fmt, ...)
{
    va_list ap;

    MUST(r->magic == REQ_MAGIC && !r->streaming && !r->gone);
    MUST(http_is_token(str_of(name)) && !server_owns(name));
    buf_str(&r->headers, name);
    buf_str(&r->headers, ": ");
    size_t from = r->headers.len;
    va_start(ap, fmt);
    buf_vprintf(&r->headers, fmt, ap);
    va_end(ap);
    if (r->headers.data)
        clean(r->headers.data + from, r->headers.len - from);
    buf_add(&r->headers, "\r\n", 2);
}

/* Status line and the headers that every answer has, in the server's scratch. */
static struct buf *begin_head(struct conn *c, bool http_1_1, int status, const char *type)
{
    struct http_server *s = c->server;
    struct buf *b = &s->scratch;

    buf_clear(b);
    if (status == 200) {
        buf_add(b, "HTTP/1.1 200 OK\r\n", 17);
    } else {
        buf_add(b, "HTTP/1.1 ", 9);
        add_number(b, (size_t)status, 10);
        buf_char(b, ' ');
        buf_str(b, status_text(status));
        buf_add(b, "\r\n", 2);
    }
    buf_str(b, date_line(s));
    if (type) {
        buf_add(b, "Content-Type: ", 14);
        size_t from = b->len;
        buf_str(b, type);
        clean(b->data + from, b->len - from);
        buf_add(b, "\r\n", 2);
    }
    if (c->close_after)
        buf_add(b, "Connection: close\r\n", 19);
    else if (!http_1_1)
        buf_add(b, "Connection: keep-alive\r\n", 24);
    return b;
}

static void note_close(struct http_req *r)
{
    struct conn *c = r->conn;

    if (c->server->draining || !r->keep_alive) {
        c->close_after = true;
        if (c->why == HTTP_CLOSE__COUNT)
            c->why = c->server->draining ? HTTP_CLOSE_DRAIN : HTTP_CLOSE_ASKED;
    }
}

/* The owner is done with the request; the answer's bytes are with http_conn__send(). */
static void finish(struct http_req *r)
{
    struct conn *c = r->conn;

    http_out__charge(c, NULL); /* whoever paid so far may be gone before its reader is */
    c->req = NULL;
    http_req__free(&r);
    http_conn__move(c, CONN_FLUSH);
    if (!c->out)
        http_conn__next(c);
}

static void send_whole(struct conn *c, struct buf *head, const void *body, size_t len,
                       bool body_is_static)
{
    bool joined = len <= JOINED_MAX;

    if (joined)
        buf_add(head, body, len);
    if (head->full) { /* half an answer would be a wrong one */
        http_conn__doom(c, HTTP_CLOSE_MEMORY);
        return;
    }
    if (joined) {
        uv_buf_t one = uv_buf_init(head->data, (unsigned)head->len);
        http_conn__send(c, &one, 1, false);
        return;
    }
    uv_buf_t two[2] = {uv_buf_init(head->data, (unsigned)head->len), {0}};
    two[1].base = (char *)(uintptr_t)body; /* libuv has no const; it only reads */
    two[1].len = len;
    http_conn__send(c, two, 2, body_is_static);
}

/* The server's own word; all of it lies in the scratch, which asks for no memory. */
static void send_refusal(struct conn *c, struct http_req *r, enum refusal why)
{
    struct http_server *s = c->server;
    char body[200];
    int n = snprintf(body, sizeof(body), "{\"detail\":\"%s\",\"code\":\"%s\"}",
                     refusals[why].detail, refusals[why].code);
    struct buf *b = begin_head(c, !r || r->http_1_1, refusals[why].status, "application/json");

    if (refusals[why].status == 503)
        buf_str(b, "Retry-After: 1\r\n");
    buf_add(b, "Content-Length: ", 16);
    add_number(b, (size_t)n, 10);
    buf_add(b, "\r\n\r\n", 4);
    if (s->cfg.on_answer)
        s->cfg.on_answer(s->cfg.ctx, r, refusals[why].status);
    send_whole(c, b, body, r && r->no_body ? 0 : (size_t)n, false);
}

void http_answer__send(struct http_req *r, int status, const char *content_type,
                       const void *body, size_t len, bool body_is_static)
{
    struct http_server *s = r->conn->server;
    bool bodyless = status == 204 || status == 304;

    MUST(r->magic == REQ_MAGIC && r->conn->req == r && !r->streaming && !r->gone);
    if (r->headers.full) { /* what its owner wanted to say cannot be said */
        note_close(r);
        send_refusal(r->conn, r, REFUSE_MEMORY);
        finish(r);
        return;
    }
    note_close(r);
    struct buf *b = begin_head(r->conn, r->http_1_1, status, bodyless ? NULL : content_type);
    if (!bodyless) {
        buf_add(b, "Content-Length: ", 16);
        add_number(b, len, 10);
        buf_add(b, "\r\n", 2);
    }
    buf_add(b, r->headers.data, r->headers.len);
    buf_add(b, "\r\n", 2);
    if (s->cfg.on_answer)
        s->cfg.on_answer(s->cfg.ctx, r, status);
    if (bodyless || r->no_body)
        len = 0;
    send_whole(r->conn, b, body, len, body_is_static);
    finish(r);
}

void http_answer(struct http_req *r, int status, const char *content_type, const void *body,
                 size_t len)
{
    http_answer__send(r, status, content_type, body, len, false);
}

void http_stream_begin(struct http_req *r, int status, const char *content_type)
{
    struct conn *c = r->conn;
    struct http_server *s = c->server;

    MUST(r->magic == REQ_MAGIC && c->req == r && !r->streaming && !r->gone);
    if (!r->http_1_1) /* it does not know chunks: the body ends with the connection */
        r->keep_alive = false;
    note_close(r);
    r->chunked_answer = r->http_1_1;
    struct buf *b = begin_head(c, r->http_1_1, status, content_type);
    if (r->chunked_answer)
        buf_str(b, "Transfer-Encoding: chunked\r\n");
    buf_add(b, r->headers.data, r->headers.len);
    buf_add(b, "\r\n", 2);
    if (b->full || r->headers.full)
        http_conn__doom(c, HTTP_CLOSE_MEMORY);
    buf_release(&r->headers);
    if (s->cfg.on_answer)
        s->cfg.on_answer(s->cfg.ctx, r, status);
    uv_buf_t one = uv_buf_init(b->data, (unsigned)b->len);
    http_conn__send(c, &one, 1, false);
    r->streaming = true;
    http_conn__move(c, CONN_STREAM);
    if (s->drain_begun)
        http_conn__ready(c);
}

size_t http_stream_write(struct http_req *r, const void *data, size_t len)
{
    struct conn *c = r->conn;
    char size[20], end[] = {'\r', '\n'};

    MUST(r->magic == REQ_MAGIC && r->streaming && !r->gone);
    if (len && !r->no_body) {
        uv_buf_t three[3];
        unsigned n = 0;
        if (r->chunked_answer) {
            int digits = snprintf(size, sizeof(size), "%zx\r\n", len);
            three[n++] = uv_buf_init(size, (unsigned)digits);
        }
        three[n].base = (char *)(uintptr_t)data;
        three[n++].len = len;
        if (r->chunked_answer)
            three[n++] = uv_buf_init(end, 2);
        http_conn__send(c, three, n, false);
    }
    size_t queued = http_conn__queued(c);
    if (queued > c->server->cfg.max_queued)
        http_conn__doom(c, HTTP_CLOSE_STALLED);
    return queued;
}

void http_stream_cut(struct http_req *r)
{
    MUST(r->magic == REQ_MAGIC && r->streaming && !r->gone);
    http_conn__doom(r->conn, HTTP_CLOSE_MEMORY);
}

void http_stream_end(struct http_req *r)
{
    MUST(r->magic == REQ_MAGIC && r->streaming && !r->gone);
    if (r->chunked_answer && !r->no_body) {
        char last[] = "0\r\n\r\n";
        uv_buf_t one = uv_buf_init(last, 5);
        http_conn__send(r->conn, &one, 1, false);
    }
    if (r->conn->server->draining)
        note_close(r);
    finish(r);
}

void http_answer__continue(struct conn *c)
{
    char line[] = "HTTP/1.1 100 Continue\r\n\r\n";
    uv_buf_t one = uv_buf_init(line, sizeof(line) - 1);

    http_conn__send(c, &one, 1, false);
}

void http_answer__switch(struct http_req *r, const char *accept)
{
    struct conn *c = r->conn;
    struct http_server *s = c->server;

    MUST(r->magic == REQ_MAGIC && c->req == r && !r->streaming && !r->gone);
    struct buf *b = begin_head(c, true, 101, NULL);
    buf_str(b, "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ");
    buf_str(b, accept);
    buf_add(b, "\r\n", 2);
    buf_add(b, r->headers.data, r->headers.len);
    buf_add(b, "\r\n", 2);
    if (b->full || r->headers.full)
        http_conn__doom(c, HTTP_CLOSE_MEMORY);
    buf_release(&r->headers);
    if (s->cfg.on_answer)
        s->cfg.on_answer(s->cfg.ctx, r, 101);
    uv_buf_t one = uv_buf_init(b->data, (unsigned)b->len);
    http_conn__send(c, &one, 1, false);
    r->streaming = true;
    http_conn__move(c, CONN_STREAM);
    if (s->drain_begun || (c->in_len && !c->feeding))
        http_conn__ready(c);
}

void http_answer__switch_end(struct http_req *r, enum http_close why)
{
    struct conn *c = r->conn;

    c->close_after = true;
    if (c->why == HTTP_CLOSE__COUNT)
        c->why = (uint8_t)why;
    finish(r);
}

/* The request never reaches an owner, and the connection ends. */
void http_answer__refuse(struct conn *c, enum refusal why)
{
    MUST(c->state == CONN_HEAD || c->state == CONN_BODY);
    http_req__free(&c->req);
    c->close_after = true;
    if (c->why == HTTP_CLOSE__COUNT)
        c->why = refusals[why].close;
    send_refusal(c, NULL, why);
    http_conn__move(c, CONN_FLUSH);
    if (!c->out)
        http_conn__next(c);
}
