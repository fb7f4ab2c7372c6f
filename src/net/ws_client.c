/*
 * A WebSocket to a service. libcurl makes the connection (names, proxy, TLS) on its own
 * descriptors and hands it over; from then on the bytes are ours, by curl_easy_send and _recv.
 */
#include "net/ws_int.h"

#include "base/base64.h"
#include "seal/seal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define READ ((size_t)16 * 1024) /* at once, */
#define READS 8                  /* and so often before others come */
#define HEAD_MAX ((size_t)16 * 1024)

enum client_phase { CONNECTING, SHAKING, REFUSING, OPEN };

static void over(struct ws *w)
{
    list_remove(&w->link);
    list_append(&w->c.client->sockets_over, &w->link);
    if (w->c.poll)
        uv_poll_stop(w->c.poll);
}

static void drop_flying(struct ws *w)
{
    struct ws_phase_client *c = &w->c;

    if (c->flying_cap) {
        w->mem.mem.resize(&w->mem.mem, c->flying, c->flying_cap, 0);
    } else if (c->flying) { /* the request, which may hold a key */
        explicit_bzero(c->flying, c->flying_len);
        free(c->flying);
    }
    c->flying = NULL;
    c->flying_len = c->flying_cap = c->flown = 0;
}

/* What has begun to be sent stays in its place: TLS wants to see the same bytes again. */
static void write_some(struct ws *w)
{
    struct ws_phase_client *c = &w->c;
    size_t n;

    while (!w->failed && c->poll) {
        if (!c->flying && c->phase == OPEN && w->out.len) {
            c->flying_len = w->out.len;
            c->flying_cap = w->out.cap;
            c->flying = buf_detach(&w->out);
        }
        if (!c->flying)
            return;
        CURLcode rc =
            curl_lib.easy_send(c->easy, c->flying + c->flown, c->flying_len - c->flown, &n);
        if (rc == CURLE_AGAIN)
            return;
        if (rc != CURLE_OK) {
            ws__fail(w, WS_GONE);
            return;
        }
        c->flown += n;
        if (c->flown == c->flying_len)
            drop_flying(w);
    }
}

static bool all_sent(const struct ws *w)
{
    return !w->c.flying && !w->out.len;
}

static void on_poll(uv_poll_t *p, int status, int events);

static void poll_on(struct ws *w)
{
    struct ws_phase_client *c = &w->c;
    int events = w->paused ? 0 : UV_READABLE;

    if (!c->poll || w->failed || list_empty(&w->link))
        return;
    if (c->flying || c->more) /* a socket that can be written calls back at once */
        events |= UV_WRITABLE;
    if (uv_poll_start(c->poll, events, on_poll) < 0)
        ws__fail(w, WS_GONE);
}

/* The line. */

static void flush(struct ws *w)
{
    if (w->c.phase != OPEN)
        return;
    write_some(w);
    poll_on(w);
}

static size_t queued(const struct ws *w)
{
    return w->c.phase == OPEN ? w->c.flying_len - w->c.flown : 0;
}

static void hold(struct ws *w)
{
    w->c.more = !w->paused; /* TLS may hold what no poll tells of */
    poll_on(w);
}

static bool hang_up(struct ws *w)
{
    write_some(w);
    if (!w->failed && all_sent(w))
        over(w);
    return false;
}

static void drop(struct ws *w)
{
    ws__free(w);
}

static void free_poll(uv_handle_t *h)
{
    free(h);
}

/* False: libcurl has the word, so `w` goes later. */
static bool release(struct ws *w)
{
    struct ws_phase_client *c = &w->c;

    if (c->poll)
        uv_close((uv_handle_t *)c->poll, free_poll);
    c->poll = NULL;
    if (c->client->inside) {
        list_remove(&w->link);
        list_append(&c->client->sockets_gone, &w->link);
        return false;
    }
    if (c->added)
        curl_lib.multi_remove_handle(c->client->multi, c->easy);
    if (c->easy)
        curl_lib.easy_cleanup(c->easy);
    drop_flying(w);
    buf_wipe(&c->head);
    return true;
}

static const struct ws_line line = {.flush = flush,
                                    .queued = queued,
                                    .pause = hold,
                                    .hang_up = hang_up,
                                    .fail = over,
                                    .drop = drop,
                                    .release = release};

/* The answer to our handshake. */

static void not_a_handshake(struct ws *w, const char *why)
{
    str_copy(w->more, sizeof(w->more), why);
    ws__fail(w, WS_HANDSHAKE);
}

static void refused(struct ws *w)
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
        refused(w);
}

static void take_refusal(struct ws *w, const struct ws_answer *a, struct str rest)
{
    struct ws_phase_client *c = &w->c;
    bool bodyless = a->status == 204 || a->status == 304 || (a->has_length && !a->length);

    w->status = a->status;
    w->retry_after_s = a->retry_after_s;
    c->phase = REFUSING;
    c->body_chunked = a->chunked;
    c->body_to_end = !a->chunked && !a->has_length;
    c->body_left = a->length;
    if (bodyless)
        refused(w);
    else if (rest.len)
        take_body(w, rest.data, rest.len);
}

static void opened(struct ws *w, struct str rest)
{
    buf_release(&w->c.head);
    w->c.phase = OPEN;
    w->heard_ms = loop_now(w->loop);
    if (w->cfg.sink.opened)
        w->cfg.sink.opened(w->cfg.sink.ctx);
    write_some(w); /* what waited for it */
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

/* Reading. */

static void take(struct ws *w, const char *data, size_t len)
{
    if (w->c.phase == OPEN)
        ws__feed(w, data, len);
    else if (w->c.phase == SHAKING)
        take_head(w, data, len);
    else
        take_body(w, data, len);
}

static void at_end(struct ws *w)
{
    if (w->c.phase == REFUSING)
        refused(w);
    else
        ws__fail(w, WS_GONE);
}

static void read_some(struct ws *w)
{
    char data[READ];
    size_t n;

    w->c.more = false;
    for (int i = 0; i < READS; i++) {
        if (w->failed || w->cut || w->paused || w->leaving)
            return;
        CURLcode rc = curl_lib.easy_recv(w->c.easy, data, sizeof(data), &n);
        if (rc == CURLE_AGAIN)
            return;
        if (rc != CURLE_OK || n == 0) {
            at_end(w);
            return;
        }
        take(w, data, n);
    }
    w->c.more = true;
}

static void on_poll(uv_poll_t *p, int status, int events)
{
    struct ws *w = p->data;
    struct http_client *c = w->c.client;
    bool waited = w->c.flying && w->c.phase == OPEN;

    (void)events;
    ws__enter(w);
    if (status < 0)
        ws__fail(w, WS_GONE);
    write_some(w);
    if (waited && all_sent(w) && !w->failed)
        ws__drained(w);
    read_some(w);
    if (ws__leave(w)) {
        if (w->leaving && !w->failed && all_sent(w))
            over(w);
        else
            poll_on(w);
    }
    ws__client_settle(c);
}

void ws__client_settle(struct http_client *c)
{
    while (!list_empty(&c->sockets_over)) {
        struct ws *w = LIST_ITEM(c->sockets_over.next, struct ws, link);
        list_remove(&w->link);
        ws__tell(w);
    }
}

void ws__client_sweep(struct http_client *c, int64_t now)
{
    LIST_EACH(at, after, &c->sockets)
    {
        struct ws *w = LIST_ITEM(at, struct ws, link);
        int64_t open_ms = w->c.open_ms;
        if (w->c.phase == OPEN || w->deadline_ms) {
            ws__sweep(w, now);
        } else if (open_ms && now - w->c.began_ms >= open_ms) {
            if (w->c.phase == REFUSING) {
                refused(w);
                continue;
            }
            snprintf(w->more, sizeof(w->more), "%g", (double)open_ms / 1000);
            ws__fail(w, WS_LATE);
        }
    }
    ws__client_settle(c);
}

/* Connecting. */

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
    c->phase = SHAKING;
    c->flying_len = c->head.len;
    c->flying = buf_detach(&c->head);
    write_some(w);
    poll_on(w);
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

void ws__client_end(struct http_client *c)
{
    struct list *lists[] = {&c->sockets_starting, &c->sockets, &c->sockets_over,
                            &c->sockets_gone};

    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        while (!list_empty(lists[i]))
            ws__free(LIST_ITEM(lists[i]->next, struct ws, link));
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
    struct ws *w =
        http_client__memory_short() ? NULL : ws__new(&ask->cfg, &line, c->loop, true);
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
