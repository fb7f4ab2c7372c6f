#include "net/net_int.h"
#include "net/ws_int.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* The life of a connection. */

#define REST_WORTH_NS 200000u
#define REST_FACTOR 10u /* of a time that began with the request */
#define REST_MOST_MS 200

/* to[from]: the states one may go to. */
#define TO(state) (1u << CONN_##state)
static const unsigned allowed[CONN__COUNT] = {
    [CONN_IDLE] = TO(HEAD) | TO(CLOSED),
    [CONN_HEAD] = TO(HEAD) | TO(BODY) | TO(BUSY) | TO(FLUSH) | TO(CLOSED),
    [CONN_BODY] = TO(BUSY) | TO(FLUSH) | TO(CLOSED),
    [CONN_BUSY] = TO(STREAM) | TO(FLUSH) | TO(CLOSED),
    [CONN_STREAM] = TO(FLUSH) | TO(CLOSED),
    [CONN_FLUSH] = TO(IDLE) | TO(LINGER) | TO(CLOSED),
    [CONN_LINGER] = TO(CLOSED),
};

void http_conn__move(struct conn *c, enum conn_state to)
{
    struct http_server *s = c->server;

    MUST(c->magic == CONN_MAGIC && allowed[c->state] & 1u << to);
    list_remove(&c->link);
    s->in_state[c->state]--;
    s->in_state[to]++;
    c->state = (uint8_t)to;
    if (s->limit_ms[to])
        c->deadline = loop_now(s->loop) + s->limit_ms[to];
    list_append(&s->states[to], &c->link);
}

void http_conn__ready(struct conn *c)
{
    list_remove(&c->ready);
    list_append(&c->server->ready, &c->ready);
    http_server__want_turn(c->server);
}

void http_conn__doom(struct conn *c, enum http_close why)
{
    if (c->doomed || c->state == CONN_CLOSED)
        return;
    c->doomed = true;
    if (c->why == HTTP_CLOSE__COUNT)
        c->why = (uint8_t)why;
    http_conn__ready(c);
}

static void on_closed(uv_handle_t *h)
{
    struct conn *c = (struct conn *)(void *)h;
    struct http_server *s = c->server;

    MUST(c->magic == CONN_MAGIC && !c->req && !c->out);
    list_remove(&c->link);
    list_remove(&c->ready);
    s->in_state[CONN_CLOSED]--;
    c->magic = 0;
    http_conn__drop_kept(c);
    if (c->peer)
        s->conn_bytes -= net__block(strlen(c->peer) + 1);
    s->conn_bytes -= net__block(sizeof(*c));
    free(c->peer);
    free(c);
    http_server__conn_closed(s);
}

void http_conn__close(struct conn *c, enum http_close why)
{
    struct http_server *s = c->server;
    bool owned = c->state == CONN_BUSY || c->state == CONN_STREAM;

    if (c->state == CONN_CLOSED)
        return;
    if (c->why == HTTP_CLOSE__COUNT)
        c->why = (uint8_t)why;
    s->stats.closed[c->why]++;
    http_conn__move(c, CONN_CLOSED);
    list_remove(&c->ready);
    list_remove(&c->hush);
    if (c->out)
        list_remove(&c->out->link);
    uv_close(&c->uv.handle, on_closed);
    http_out__charge(c, NULL);
    if (owned) {
        c->req->gone = true;
        if (c->req->on_gone)
            c->req->on_gone(c->req->ctx, c->req);
    }
    http_req__free(&c->req);
}

static void alloc(uv_handle_t *h, size_t hint, uv_buf_t *buf)
{
    struct conn *c = (struct conn *)(void *)h;

    (void)hint;
    *buf = uv_buf_init(c->server->read, c->state == CONN_BODY ? READ_LARGE : READ_SMALL);
}

/* The client will send no more. Who waits for an answer is gone; who is being sent one may
 * have shut its side only. */
static void on_eof(struct conn *c)
{
    c->eof = true;
    if (c->state != CONN_FLUSH)
        http_conn__close(c, HTTP_CLOSE_GONE);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct conn *c = (struct conn *)(void *)stream;

    MUST(c->magic == CONN_MAGIC);
    if (n < 0) {
        if (n == UV_EOF)
            on_eof(c);
        else
            http_conn__close(c, HTTP_CLOSE_GONE);
        return;
    }
    http_conn__feed(c, buf->base, (size_t)n);
    if (!c->paused && c->in_len >= READ_SMALL && c->state >= CONN_BUSY &&
        c->state <= CONN_FLUSH) {
        uv_read_stop(stream); /* it asks faster than it is answered */
        c->paused = true;
        list_append(&c->server->paused, &c->hush);
    }
}

static void resume(struct conn *c)
{
    c->paused = false;
    list_remove(&c->hush);
    if (!c->eof && uv_read_start(&c->uv.stream, alloc, on_read) < 0)
        http_conn__close(c, HTTP_CLOSE_GONE);
}

static void linger(struct conn *c)
{
    uv_os_fd_t fd;

    if (c->eof || uv_fileno(&c->uv.handle, &fd) < 0 || shutdown(fd, SHUT_WR) < 0) {
        http_conn__close(c, HTTP_CLOSE_GONE);
        return;
    }
    http_conn__move(c, CONN_LINGER);
    http_conn__drop_kept(c);
    if (c->paused)
        resume(c);
}

void http_conn__next(struct conn *c)
{
    if (c->doomed || c->state == CONN_CLOSED)
        return;
    if (c->close_after) {
        if (c->feeding) /* conn->in is being read: leave it alone for now */
            http_conn__ready(c);
        else
            linger(c);
        return;
    }
    http_conn__move(c, CONN_IDLE);
    if (!c->feeding && (c->in_len || c->paused || c->eof))
        http_conn__ready(c);
}

static void tell_drain(struct conn *c)
{
    struct http_req *r = c->req;

    if (r->drain_told && !r->on_drain)
        return;
    r->drain_told = true;
    if (r->on_drain) {
        void (*fn)(void *ctx, struct http_req *req) = r->on_drain;
        r->on_drain = NULL;
        fn(r->ctx, r);
    } else {
        http_stream_end(r);
    }
}

void http_conn__turn(struct conn *c)
{
    if (c->doomed) {
        http_conn__close(c, HTTP_CLOSE_GONE);
        return;
    }
    if (c->state == CONN_FLUSH && c->close_after && !c->out) {
        linger(c);
        return;
    }
    if (c->state == CONN_STREAM && c->server->drain_begun)
        tell_drain(c);
    if (c->state == CONN_STREAM && c->req->on_bytes && !c->held) {
        http_conn__feed(c, NULL, 0);
        if (c->paused && !c->held && c->state == CONN_STREAM)
            resume(c);
    }
    if (c->state != CONN_IDLE || c->rest_until)
        return;
    http_conn__feed(c, NULL, 0);
    if (c->eof && c->state != CONN_FLUSH) /* as in on_eof(), which comes only once */
        http_conn__close(c, HTTP_CLOSE_GONE);
    else if (c->paused && (c->state <= CONN_BODY || c->in_len < READ_SMALL))
        resume(c); /* the rest of a head is needed, however much of it is here */
}

static void on_rested(uv_timer_t *t)
{
    struct http_server *s = t->data;
    int64_t now = loop_now(s->loop), next = INT64_MAX;

    LIST_EACH(at, after, &s->paused)
    {
        struct conn *c = LIST_ITEM(at, struct conn, hush);
        if (c->rest_until > now && c->rest_until < next)
            next = c->rest_until;
        if (c->rest_until == 0 || c->rest_until > now)
            continue;
        c->rest_until = 0;
        if (c->state == CONN_IDLE)
            http_conn__ready(c);
        else if (c->in_len < READ_SMALL)
            resume(c); /* so that its leaving is seen at once */
    }
    if (next != INT64_MAX)
        uv_timer_start(t, on_rested, (uint64_t)(next - now), 0);
}

void http_conn__rested(struct http_server *s)
{
    LIST_EACH(at, after, &s->paused)
    {
        struct conn *c = LIST_ITEM(at, struct conn, hush);
        if (c->rest_until == 0)
            continue;
        c->rest_until = 0;
        resume(c);
        if (c->state == CONN_IDLE && c->in_len)
            http_conn__ready(c);
    }
}

/*
 * One loop serves everybody. A large request that took it REST_WORTH or more is followed by a
 * rest of that connection, so that nobody alone has more than a tenth of the loop.
 */
void http_conn__rest(struct conn *c, uint64_t took_ns)
{
    struct http_server *s = c->server;
    int64_t ms = (int64_t)(took_ns * REST_FACTOR / 1000000);

    if (took_ns < REST_WORTH_NS || c->state == CONN_CLOSED || c->doomed || c->eof ||
        s->draining)
        return;
    if (!c->paused) {
        uv_read_stop(&c->uv.stream);
        c->paused = true;
        list_append(&s->paused, &c->hush);
    }
    ms = ms < REST_MOST_MS ? ms : REST_MOST_MS;
    c->rest_until = loop_now(s->loop) + ms;
    s->stats.rests++;
    if (!uv_is_active((uv_handle_t *)&s->rest) || uv_timer_get_due_in(&s->rest) > (uint64_t)ms)
        uv_timer_start(&s->rest, on_rested, (uint64_t)ms, 0);
}

void http_conn__hold(struct conn *c, bool held)
{
    c->held = held;
    if (!held) {
        http_conn__ready(c);
    } else if (!c->paused && c->state != CONN_CLOSED) {
        uv_read_stop(&c->uv.stream);
        c->paused = true;
        list_append(&c->server->paused, &c->hush);
    }
}

static void expire(struct conn *c)
{
    switch (c->state) {
    case CONN_IDLE:
        http_conn__close(c, HTTP_CLOSE_IDLE);
        return;
    case CONN_HEAD:
        if (c->in_len == 0) /* it never said a word, so it is told none */
            http_conn__close(c, HTTP_CLOSE_HEAD_TIMEOUT);
        else
            http_answer__refuse(c, REFUSE_HEAD_TIMEOUT);
        return;
    case CONN_BODY:
        http_answer__refuse(c, REFUSE_BODY_TIMEOUT);
        return;
    default:
        http_conn__close(c, HTTP_CLOSE_GONE);
    }
}

/* Reading is how leaving is noticed; who is not read from is asked. */
static void ask_paused(struct http_server *s)
{
    LIST_EACH(at, after, &s->paused)
    {
        struct conn *c = LIST_ITEM(at, struct conn, hush);
        struct pollfd p = {.events = POLLRDHUP};
        if (uv_fileno(&c->uv.handle, &p.fd) < 0 || poll(&p, 1, 0) <= 0)
            continue;
        if (c->state != CONN_FLUSH || p.revents & (POLLHUP | POLLERR))
            http_conn__close(c, HTTP_CLOSE_GONE);
    }
}

void http_conn__sweep(struct http_server *s)
{
    int64_t now = loop_now(s->loop);

    for (int i = 0; i < CONN__COUNT; i++) {
        if (!s->limit_ms[i])
            continue;
        LIST_EACH(at, after, &s->states[i])
        {
            struct conn *c = LIST_ITEM(at, struct conn, link);
            if (c->deadline > now)
                break;
            expire(c);
        }
    }
    http_out__sweep(s, now);
    ws__server_sweep(s, now);
    ask_paused(s);
    if (s->unaccepted)
        http_conn__accept(s);
}

void http_conn__accept(struct http_server *s)
{
    struct conn *c = malloc(sizeof(*c));
    int rc;

    s->unaccepted = c == NULL;
    if (!c)
        return; /* libuv listens no more until it is taken: the next sweep tries */
    *c = (struct conn){
        .magic = CONN_MAGIC, .server = s, .state = CONN_HEAD, .why = HTTP_CLOSE__COUNT};
    list_init(&c->link);
    list_init(&c->ready);
    list_init(&c->hush);
    rc = s->unix_socket ? uv_pipe_init(&s->loop->uv, &c->uv.pipe, 0)
                        : uv_tcp_init(&s->loop->uv, &c->uv.tcp);
    MUST(rc == 0);
    s->conn_bytes += net__block(sizeof(*c));
    s->all_conns++;
    s->stats.accepted++;
    s->in_state[CONN_HEAD]++;
    http_conn__move(c, CONN_HEAD);
    if (uv_accept(&s->listener.stream, &c->uv.stream) < 0 ||
        uv_read_start(&c->uv.stream, alloc, on_read) < 0)
        http_conn__close(c, HTTP_CLOSE_GONE);
    else if (s->all_conns > s->cfg.max_conns + OVERFLOW_CONNS)
        http_conn__close(c, HTTP_CLOSE_CONNECTIONS);
    else if (s->all_conns > s->cfg.max_conns)
        http_answer__refuse(c, REFUSE_CONNECTIONS);
}
