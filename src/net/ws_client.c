/*
 * A WebSocket to a service, once there is a connection (ws_connect.c): its bytes are ours, by
 * curl_easy_send and _recv.
 */
#include "net/ws_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define READ ((size_t)16 * 1024) /* at once, */
#define READS 8                  /* and so often before others come */

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
void ws__client_write(struct ws *w)
{
    struct ws_phase_client *c = &w->c;
    size_t n;

    while (!w->failed && c->poll) {
        if (!c->flying && c->phase == WS_OPEN && w->out.len) {
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

void ws__client_poll(struct ws *w)
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
    if (w->c.phase != WS_OPEN)
        return;
    ws__client_write(w);
    ws__client_poll(w);
}

static size_t queued(const struct ws *w)
{
    return w->c.phase == WS_OPEN ? w->c.flying_len - w->c.flown : 0;
}

static void hold(struct ws *w)
{
    w->c.more = !w->paused; /* TLS may hold what no poll tells of */
    ws__client_poll(w);
}

static bool hang_up(struct ws *w)
{
    ws__client_write(w);
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

const struct ws_line ws__client_line = {.flush = flush,
                                        .queued = queued,
                                        .pause = hold,
                                        .hang_up = hang_up,
                                        .fail = over,
                                        .drop = drop,
                                        .release = release};

/* Reading. */

static void take(struct ws *w, const char *data, size_t len)
{
    if (w->c.phase == WS_OPEN)
        ws__feed(w, data, len);
    else
        ws__client_answer(w, data, len);
}

static void at_end(struct ws *w)
{
    if (w->c.phase == WS_REFUSING)
        ws__client_refused(w);
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
    bool waited = w->c.flying && w->c.phase == WS_OPEN;

    (void)events;
    ws__enter(w);
    if (status < 0)
        ws__fail(w, WS_GONE);
    ws__client_write(w);
    if (waited && all_sent(w) && !w->failed)
        ws__drained(w);
    read_some(w);
    if (ws__leave(w)) {
        if (w->leaving && !w->failed && all_sent(w))
            over(w);
        else
            ws__client_poll(w);
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
        if (w->c.phase == WS_OPEN || w->deadline_ms) {
            ws__sweep(w, now);
        } else if (open_ms && now - w->c.began_ms >= open_ms) {
            if (w->c.phase == WS_REFUSING) {
                ws__client_refused(w);
                continue;
            }
            snprintf(w->more, sizeof(w->more), "%g", (double)open_ms / 1000);
            ws__fail(w, WS_LATE);
        }
    }
    ws__client_settle(c);
}

void ws__client_end(struct http_client *c)
{
    struct list *lists[] = {&c->sockets_starting, &c->sockets, &c->sockets_over,
                            &c->sockets_gone};

    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        while (!list_empty(lists[i]))
            ws__free(LIST_ITEM(lists[i]->next, struct ws, link));
}
