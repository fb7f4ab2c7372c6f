/*
 * A WebSocket to a service, until it is open: libcurl makes the connection (names, proxy, TLS)
 * on its own descriptors and hands it over, then we ask on it, and the service answers.
 */
#include "net/ws_int.h"

#include "base/base64.h"
#include "seal/seal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEAD_MAX ((size_t)16 * 1024)

static const char *why_unreached(const struct ws *w, CURLcode code)
{
    long sys = 0;

    if (code == CURLE_COULDNT_CONNECT) {
        curl_lib.easy_getinfo(w->c.easy, CURLINFO_OS_ERRNO, &sys);
        if (sys)
            return strerror((int)sys);
    }
    return *w->c.detail ? w->c.detail : curl_lib.easy_strerror(code);
}

static void unreached(struct ws *w, const char *why)
{
    str_copy(w->more, sizeof(w->more), why);
    ws__fail(w, WS_UNREACHED);
}

void ws__client_connected(struct ws *w, CURLcode code)
{
    struct ws_phase_client *c = &w->c;
    curl_socket_t fd = CURL_SOCKET_BAD;

    if (w->failed)
        return;
    if (code != CURLE_OK) {
        unreached(w, why_unreached(w, code));
        return;
    }
    curl_lib.easy_getinfo(c->easy, CURLINFO_ACTIVESOCKET, &fd);
    uv_poll_t *p = calloc(1, sizeof(*p));
    if (!p) {
        ws__fail(w, WS_MEMORY);
        return;
    }
    if (fd == CURL_SOCKET_BAD || uv_poll_init_socket(&w->loop->uv, p, fd) < 0) {
        free(p);
        unreached(w, "its socket cannot be watched");
        return;
    }
    p->data = w;
    c->poll = p;
    c->phase = WS_SHAKING;
    c->flying_len = c->head.len;
    c->flying = buf_detach(&c->head);
    ws__client_write(w);
    ws__client_poll(w);
}

void ws__client_start(struct http_client *c)
{
    LIST_EACH(at, after, &c->sockets_starting)
    {
        struct ws *w = LIST_ITEM(at, struct ws, link);
        list_remove(&w->link);
        list_append(&c->sockets, &w->link);
        w->c.added = curl_lib.multi_add_handle(c->multi, w->c.easy) == CURLM_OK;
        if (!w->c.added)
            unreached(w, "libcurl takes no more connections");
    }
    while (!list_empty(&c->sockets_gone))
        ws__free(LIST_ITEM(c->sockets_gone.next, struct ws, link));
}

/* In one piece, so that no copy of a key is left behind. */
static bool write_request(struct ws *w, const struct ws_url *url, const char *const *headers)
{
    static const char fixed[] =
        "Upgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nUser-Agent: maya/" MAYA_VERSION "\r\n";
    struct buf *b = &w->c.head;
    uint8_t nonce[16];
    struct buf key = {.max = sizeof(w->c.key)};
    size_t size = url->path.len + url->host.len + sizeof(fixed) + 128;

    seal_random(nonce, sizeof(nonce));
    base64_add(&key, nonce, sizeof(nonce));
    str_copy(w->c.key, sizeof(w->c.key), buf_text(&key));
    buf_release(&key);
    for (const char *const *h = headers; h && *h; h++)
        size += strlen(*h) + 2;
    if (!*w->c.key || !buf_reserve(b, size))
        return false;
    buf_printf(b, "GET %s%.*s HTTP/1.1\r\nHost: %.*s\r\n",
               url->path.len && url->path.data[0] == '/' ? "" : "/", STR_FMT(url->path),
               STR_FMT(url->host));
    buf_str(b, fixed);
    buf_printf(b, "Sec-WebSocket-Key: %s\r\n", w->c.key);
    for (const char *const *h = headers; h && *h; h++) {
        buf_str(b, *h);
        buf_add(b, "\r\n", 2);
    }
    buf_add(b, "\r\n", 2);
    return !b->full;
}

static bool set_up(struct ws *w, const struct ws_url *url)
{
    struct ws_phase_client *c = &w->c;
    struct buf http = BUF_INIT;

    c->tag.ws = w;
    c->easy = curl_lib.easy_init();
    buf_printf(&http, "http%s://%.*s/", url->tls ? "s" : "", STR_FMT(url->host));
    bool fine = c->easy && !http.full;
    if (fine) {
        http_client__options(c->client, c->easy, http.data);
        curl_lib.easy_setopt(c->easy, CURLOPT_CONNECT_ONLY, 1L);
        curl_lib.easy_setopt(c->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
        curl_lib.easy_setopt(c->easy, CURLOPT_HTTPPROXYTUNNEL, 1L);
        curl_lib.easy_setopt(c->easy, CURLOPT_FRESH_CONNECT, 1L);
        curl_lib.easy_setopt(c->easy, CURLOPT_PRIVATE, &c->tag);
        curl_lib.easy_setopt(c->easy, CURLOPT_ERRORBUFFER, c->detail);
    }
    buf_release(&http);
    return fine;
}

static bool header_is_one_line(const char *h)
{
    return strchr(h, ':') && !strpbrk(h, "\r\n");
}

int ws_connect(struct http_client *c, const struct ws_ask *ask, struct ws **ret, struct err *e)
{
    struct ws_url url;

    if (!ws__url_parse(ask->url, &url))
        return err_set(e, ERR_INVALID, 0, "A WebSocket's address begins with ws:// or wss://");
    for (const char *const *h = ask->headers; h && *h; h++)
        if (!header_is_one_line(*h))
            return err_set(e, ERR_INVALID, 0, "A header is 'Name: value' in one line");
    if (http_client__attach(c, e) < 0)
        return -1;
    struct ws *w = http_client__memory_short()
                       ? NULL
                       : ws__new(&ask->cfg, &ws__client_line, c->loop, true);
    if (!w)
        return err_set(e, ERR_NOMEM, 0, "%s", err_sentence(ERR_NOMEM));
    w->c.client = c;
    w->c.open_ms = ask->open_ms;
    w->c.began_ms = loop_now(c->loop);
    snprintf(w->c.where, sizeof(w->c.where), "%.*s",
             (int)(url.host.len > 90 ? 90 : url.host.len), url.host.data);
    list_append(&c->sockets_starting, &w->link);
    if (!set_up(w, &url) || !write_request(w, &url, ask->headers)) {
        ws__free(w);
        return err_set(e, ERR_NOMEM, 0, "%s", err_sentence(ERR_NOMEM));
    }
    if (!c->inside)
        ws__client_start(c);
    *ret = w;
    return 0;
}

/* The answer to our handshake. */

static void not_a_handshake(struct ws *w, const char *why)
{
    str_copy(w->more, sizeof(w->more), why);
    ws__fail(w, WS_HANDSHAKE);
}

void ws__client_refused(struct ws *w)
{
    snprintf(w->more, sizeof(w->more), "%d", w->status);
    ws__fail(w, WS_REFUSED);
}

static void keep_body(struct ws *w, const char *data, size_t len)
{
    size_t room = WS_REFUSAL_MAX - w->body_len;

    if (len > room)
        len = room;
    buf_add(&w->c.head, data, len);
    if (w->c.head.full)
        ws__fail(w, WS_MEMORY);
    else
        w->body_len += len;
}

static void take_body(struct ws *w, const char *data, size_t len)
{
    struct ws_phase_client *c = &w->c;
    enum refusal why;
    enum parse p = PARSE_MORE;

    if (!c->body_chunked) {
        if (!c->body_to_end && len > c->body_left)
            len = (size_t)c->body_left;
        keep_body(w, data, len);
        c->body_left -= c->body_to_end ? 0 : len;
        p = c->body_to_end || c->body_left ? PARSE_MORE : PARSE_DONE;
    }
    while (c->body_chunked && len && p == PARSE_MORE) {
        struct str run = {"", 0};
        size_t used = 0;
        p = http_chunked_next(&c->chunked, data, len, &used, &run, &why);
        if (p == PARSE_MORE)
            keep_body(w, run.data, run.len);
        data += used;
        len -= used;
    }
    if (p != PARSE_MORE || w->body_len == WS_REFUSAL_MAX)
        ws__client_refused(w);
}

static void take_refusal(struct ws *w, const struct ws_answer *a, struct str rest)
{
    struct ws_phase_client *c = &w->c;
    bool bodyless = a->status == 204 || a->status == 304 || (a->has_length && !a->length);

    w->status = a->status;
    w->retry_after_s = a->retry_after_s;
    c->phase = WS_REFUSING;
    c->body_chunked = a->chunked;
    c->body_to_end = !a->chunked && !a->has_length;
    c->body_left = a->length;
    if (bodyless)
        ws__client_refused(w);
    else if (rest.len)
        take_body(w, rest.data, rest.len);
}

static void opened(struct ws *w, struct str rest)
{
    buf_release(&w->c.head);
    w->c.phase = WS_OPEN;
    w->heard_ms = loop_now(w->loop);
    if (w->cfg.sink.opened)
        w->cfg.sink.opened(w->cfg.sink.ctx);
    ws__client_write(w); /* what waited for it */
    if (rest.len && !w->cut)
        ws__feed(w, rest.data, rest.len);
}

static void take_head(struct ws *w, const char *data, size_t len)
{
    struct ws_phase_client *c = &w->c;
    enum refusal why = REFUSE_NONE;
    struct ws_answer a;

    buf_add(&c->head, data, len);
    if (c->head.full) {
        ws__fail(w, WS_MEMORY);
        return;
    }
    enum parse p = http_head_scan(&c->scan, c->head.data, c->head.len, HEAD_MAX, &why);
    if (p == PARSE_MORE)
        return;
    if (p == PARSE_REFUSED || c->scan.start ||
        !ws__answer_parse(c->head.data, c->scan.pos, c->key, &a)) {
        not_a_handshake(w, "its answer is not HTTP/1.1");
        return;
    }
    size_t left = c->head.len - c->scan.pos; /* of what came now */
    struct str rest = {data + len - left, left};
    c->head_len = c->head.len = c->scan.pos;
    if (a.status == 101 && a.wrong)
        not_a_handshake(w, a.wrong);
    else if (a.status == 101)
        opened(w, rest);
    else if (a.status < 200)
        not_a_handshake(w, "it answered with a status that means nothing here");
    else
        take_refusal(w, &a, rest);
}

void ws__client_answer(struct ws *w, const char *data, size_t len)
{
    if (w->c.phase == WS_SHAKING)
        take_head(w, data, len);
    else
        take_body(w, data, len);
}
