/* libcurl's sockets and its timer, on the loop. */
#include "net/client_int.h"

#include <stdlib.h>

#define SWEEP_MS 50
#define IDLE_CONNECTIONS 256L /* kept open for the next call */

struct client_socket {
    uv_poll_t uv;
    struct http_client *client;
    curl_socket_t fd;
};

static void act(struct http_client *c, curl_socket_t fd, int what)
{
    int running;

    c->inside++;
    curl_lib.multi_socket_action(c->multi, fd, what, &running);
    c->inside--;
    http_client__settle(c);
}

static void on_timer(uv_timer_t *uv)
{
    act(uv->data, CURL_SOCKET_TIMEOUT, 0);
}

static void on_sweep(uv_timer_t *uv)
{
    http_client__sweep(uv->data);
}

static void on_ready(uv_poll_t *uv, int status, int events)
{
    struct client_socket *s = uv->data;
    int what = status < 0 ? CURL_CSELECT_ERR : 0;

    if (events & (UV_READABLE | UV_DISCONNECT))
        what |= CURL_CSELECT_IN;
    if (events & UV_WRITABLE)
        what |= CURL_CSELECT_OUT;
    act(s->client, s->fd, what);
}

static void free_handle(uv_handle_t *h)
{
    http_client__give(h->data);
}

static void free_timer(uv_handle_t *h)
{
    free(h);
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *client, void *assigned)
{
    struct http_client *c = client;
    struct client_socket *s = assigned;
    int events = 0;

    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (s)
            uv_close((uv_handle_t *)&s->uv, free_handle);
        curl_lib.multi_assign(c->multi, fd, NULL);
        return 0;
    }
    if (!s) {
        /* libcurl gives up all its transfers, and more, where this fails. */
        s = http_client__take(sizeof(*s));
        if (!s)
            return -1;
        s->client = c;
        s->fd = fd;
        s->uv.data = s;
        if (uv_poll_init_socket(&c->loop->uv, &s->uv, fd) < 0) {
            http_client__give(s);
            return -1;
        }
        curl_lib.multi_assign(c->multi, fd, s);
    }
    if (what & CURL_POLL_IN)
        events |= UV_READABLE;
    if (what & CURL_POLL_OUT)
        events |= UV_WRITABLE;
    return uv_poll_start(&s->uv, events, on_ready) < 0 ? -1 : 0;
}

static int on_timeout(CURLM *multi, long ms, void *client)
{
    struct http_client *c = client;

    (void)multi;
    if (ms < 0)
        uv_timer_stop(c->timer);
    else
        uv_timer_start(c->timer, on_timer, (uint64_t)ms, 0);
    return 0;
}

static uv_timer_t *timer_new(struct http_client *c)
{
    uv_timer_t *t = calloc(1, sizeof(*t));

    if (!t)
        return NULL;
    MUST(uv_timer_init(&c->loop->uv, t) == 0);
    t->data = c;
    return t;
}

int http_client__attach(struct http_client *c, struct err *e)
{
    if (c->multi)
        return 0;
    if (curl_load(e) < 0)
        return -1;
    if (!c->timer)
        c->timer = timer_new(c);
    if (!c->sweep)
        c->sweep = timer_new(c);
    if (!c->timer || !c->sweep)
        return err_set(e, ERR_NOMEM, 0, "%s", err_sentence(ERR_NOMEM));
    if (http_client__memory_init(e) < 0)
        return -1;
    if (!(c->multi = curl_lib.multi_init())) {
        curl_lib.global_cleanup();
        return err_set(e, ERR_NOMEM, 0, "libcurl cannot start");
    }
    uv_unref((uv_handle_t *)c->sweep);
    uv_timer_start(c->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
    curl_lib.multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_lib.multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
    curl_lib.multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, on_timeout);
    curl_lib.multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);
    curl_lib.multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, IDLE_CONNECTIONS);
    curl_lib.multi_setopt(c->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
    return 0;
}

void http_client__detach(struct http_client *c)
{
    c->inside++; /* its sockets go now, and nothing else may happen meanwhile */
    if (c->multi) {
        curl_lib.multi_cleanup(c->multi);
        curl_lib.global_cleanup();
    }
    c->multi = NULL;
    if (c->timer)
        uv_close((uv_handle_t *)c->timer, free_timer);
    if (c->sweep)
        uv_close((uv_handle_t *)c->sweep, free_timer);
}
