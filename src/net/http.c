#include "net/net_int.h"

#include "base/alloc.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define READY_PER_TURN 512 /* so that a drain of many streams leaves room for turns */

/* The server: its listener, its clock and its end. */

const char *http_close_label(enum http_close c)
{
    static const char *const labels[] = {
#define HTTP_CLOSE(name, label, text) label,
#include "net/close.def"
#undef HTTP_CLOSE
    };

    return c < HTTP_CLOSE__COUNT ? labels[c] : "none";
}

static void free_if_done(struct http_server *s)
{
    if (!s->freed || s->handles || s->all_conns)
        return;
    buf_release(&s->scratch);
    free(s->unix_path);
    free(s);
}

/* Nobody is left: say so, once. */
static void drained_if_done(struct http_server *s)
{
    void (*fn)(void *) = s->drained;

    if (!s->drain_begun || s->listening || s->all_conns || !fn)
        return;
    s->drained = NULL;
    uv_timer_stop(&s->grace);
    uv_timer_stop(&s->last);
    fn(s->drained_ctx);
}

static void on_handle_closed(uv_handle_t *h)
{
    struct http_server *s = h->data;

    s->handles--;
    if (h == &s->listener.handle) {
        s->listening = false;
        if (!s->freed && s->drain_begun && s->cfg.on_deaf)
            s->cfg.on_deaf(s->cfg.deaf_ctx);
        if (!s->freed)
            drained_if_done(s);
    }
    free_if_done(s);
}

void http_server__conn_closed(struct http_server *s)
{
    s->all_conns--;
    if (s->all_conns == 0 && !s->freed) {
        if (!s->unaccepted)
            uv_timer_stop(&s->tick);
        drained_if_done(s);
    }
    free_if_done(s);
}

static void on_tick(uv_timer_t *t)
{
    http_conn__sweep(t->data);
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct http_server *s = listener->data;

    if (status < 0 || s->freed)
        return;
    if (s->all_conns == 0)
        uv_timer_start(&s->tick, on_tick, (uint64_t)s->tick_ms, (uint64_t)s->tick_ms);
    http_conn__accept(s);
}

static void on_idle(uv_idle_t *idle)
{
    (void)idle; /* its being there makes the loop turn at once */
}

/* A socket file that we made ourselves goes before nobody listens on it any more. */
static void close_listener(struct http_server *s)
{
    if (!s->listening || uv_is_closing(&s->listener.handle))
        return;
    if (s->unix_path)
        unlink(s->unix_path);
    uv_close(&s->listener.handle, on_handle_closed);
}

/* Who says nothing now is asked nothing more. */
static void close_quiet(struct http_server *s)
{
    LIST_EACH(at, after, &s->states[CONN_IDLE])
    {
        http_conn__close(LIST_ITEM(at, struct conn, link), HTTP_CLOSE_DRAIN);
    }
    LIST_EACH(at, after, &s->states[CONN_HEAD])
    {
        struct conn *c = LIST_ITEM(at, struct conn, link);
        if (c->in_len == 0)
            http_conn__close(c, HTTP_CLOSE_DRAIN);
    }
}

static void on_last(uv_timer_t *t)
{
    close_quiet(t->data);
}

/* What was readable when the drain was asked for has been read by now. */
static void begin_drain(struct http_server *s)
{
    s->drain_begun = true;
    s->unaccepted = false;
    close_listener(s);
    if (s->cfg.last_ms > 0)
        uv_timer_start(&s->last, on_last, (uint64_t)s->cfg.last_ms, 0);
    else
        close_quiet(s);
    LIST_EACH(at, after, &s->states[CONN_STREAM])
    {
        http_conn__ready(LIST_ITEM(at, struct conn, link));
    }
}

static void on_turn(uv_check_t *check)
{
    struct http_server *s = check->data;
    struct list now;
    unsigned count = 0;

    if (s->draining && !s->drain_begun)
        begin_drain(s);
    if (s->freed)
        return;
    list_init(&now);
    while (!list_empty(&s->ready) && count++ < READY_PER_TURN) {
        struct list *first = s->ready.next;
        list_remove(first);
        list_append(&now, first);
    }
    while (!list_empty(&now)) {
        struct list *first = now.next;
        list_remove(first);
        http_conn__turn(LIST_ITEM(first, struct conn, ready));
    }
    if (s->freed || !list_empty(&s->ready)) /* the rest, at once in the next turn */
        return;
    s->turn_wanted = false;
    uv_check_stop(&s->check);
    uv_idle_stop(&s->idle);
}

void http_server__want_turn(struct http_server *s)
{
    if (s->turn_wanted || s->freed)
        return;
    s->turn_wanted = true;
    uv_check_start(&s->check, on_turn);
    uv_idle_start(&s->idle, on_idle);
}

/*
 * Accepted sockets inherit them: no system call for each connection. Without a bound the
 * kernel takes megabytes for a client that reads slowly, and that is our memory too.
 */
static void set_options(struct http_server *s)
{
    struct sockaddr_storage sa = {0};
    int on = 1, quiet_s = 60, unsent = 128 * 1024, len = sizeof(sa);
    uv_os_fd_t fd;

    if (s->unix_socket || uv_fileno(&s->listener.handle, &fd) < 0)
        return;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &quiet_s, sizeof(quiet_s));
    setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof(unsent));
    if (uv_tcp_getsockname(&s->listener.tcp, (struct sockaddr *)&sa, &len) < 0)
        return;
    s->port = ntohs(sa.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&sa)->sin6_port
                                             : ((struct sockaddr_in *)&sa)->sin_port);
}

static int make_listener(struct http_server *s, struct err *e)
{
    const struct http_cfg *cfg = &s->cfg;
    struct sockaddr sa = {0};
    socklen_t len = sizeof(sa);
    int fd = cfg->inherited_fd;

    if (fd < 0 && net_listen_open(cfg->host, cfg->port, &fd, e) < 0)
        return -1;
    if (getsockname(fd, &sa, &len) < 0) /* of an own one it cannot fail */
        return err_set(e, ERR_IO, errno, "use file descriptor %d", fd);
    s->unix_socket = sa.sa_family == AF_UNIX;
    if (s->unix_socket && cfg->inherited_fd < 0)
        s->unix_path = xstrdup(cfg->host + 5);
    int rc = s->unix_socket ? uv_pipe_init(&s->loop->uv, &s->listener.pipe, 0)
                            : uv_tcp_init(&s->loop->uv, &s->listener.tcp);
    MUST(rc == 0);
    s->listener.handle.data = s;
    s->listening = true;
    s->handles++;
    rc = s->unix_socket ? uv_pipe_open(&s->listener.pipe, fd)
                        : uv_tcp_open(&s->listener.tcp, fd);
    if (rc < 0)
        return err_set(e, ERR_IO, -rc, "use file descriptor %d", fd);
    rc = uv_listen(&s->listener.stream, cfg->backlog > 0 ? cfg->backlog : SOMAXCONN,
                   on_connection);
    if (rc < 0)
        return err_set(e, ERR_IO, -rc, "listen on '%s' port %d", cfg->host ? cfg->host : "?",
                       cfg->port);
    set_options(s);
    return 0;
}

static void set_limits(struct http_server *s)
{
    const struct http_cfg *cfg = &s->cfg;
    int64_t least = cfg->write_ms;

    s->limit_ms[CONN_IDLE] = cfg->idle_ms;
    s->limit_ms[CONN_HEAD] = cfg->head_ms;
    s->limit_ms[CONN_BODY] = cfg->body_ms;
    s->limit_ms[CONN_LINGER] = LINGER_MS;
    for (int i = 0; i < CONN__COUNT; i++) {
        if (s->limit_ms[i] && s->limit_ms[i] < least)
            least = s->limit_ms[i];
    }
    s->tick_ms = least / 8 < 5 ? 5 : least / 8 > 250 ? 250 : least / 8;
}

int http_server_new(struct loop *l, const struct http_cfg *cfg, struct http_server **ret,
                    struct err *e)
{
    struct http_server *s = xalloc(sizeof(*s));

    MUST(cfg->on_request && cfg->head_ms > 0 && cfg->idle_ms > 0 && cfg->body_ms > 0 &&
         cfg->write_ms > 0 && cfg->max_conns > 0 && cfg->max_queued > 0 && cfg->max_head > 0 &&
         cfg->max_head < UINT32_MAX / 4);
    s->cfg = *cfg;
    s->loop = l;
    for (int i = 0; i < CONN__COUNT; i++)
        list_init(&s->states[i]);
    list_init(&s->stalled);
    list_init(&s->sockets);
    list_init(&s->ready);
    list_init(&s->paused);
    set_limits(s);
    if (!buf_reserve(&s->scratch, JOINED_MAX + HEAD_ROOM))
        alloc_die(JOINED_MAX + HEAD_ROOM);
    loop_expect_conns(l, cfg->max_conns);
    uv_timer_init(&l->uv, &s->tick);
    uv_timer_init(&l->uv, &s->grace);
    uv_timer_init(&l->uv, &s->last);
    uv_timer_init(&l->uv, &s->rest);
    uv_check_init(&l->uv, &s->check);
    uv_idle_init(&l->uv, &s->idle);
    s->tick.data = s->grace.data = s->last.data = s->rest.data = s->check.data = s->idle.data =
        s;
    uv_unref((uv_handle_t *)&s->tick);
    uv_unref((uv_handle_t *)&s->grace);
    uv_unref((uv_handle_t *)&s->last);
    uv_unref((uv_handle_t *)&s->rest);
    uv_unref((uv_handle_t *)&s->check);
    s->handles = 6;
    if (make_listener(s, e) < 0) {
        http_server_free(&s);
        return -1;
    }
    s->cfg.host = NULL; /* it was the caller's */
    *ret = s;
    return 0;
}

int http_server_port(const struct http_server *s)
{
    return s->port;
}

void http_server_stats(const struct http_server *s, struct http_stats *ret)
{
    *ret = s->stats;
    ret->bytes_conns = s->conn_bytes;
    ret->bytes_bodies = s->bodies;
    ret->bytes_queued = s->queued;
    ret->conns = s->all_conns - s->in_state[CONN_CLOSED];
    ret->streams = s->in_state[CONN_STREAM];
    ret->busy = s->in_state[CONN_BUSY] + s->in_state[CONN_STREAM] + s->in_state[CONN_FLUSH];
}

static void close_all(struct http_server *s)
{
    for (int i = 0; i < CONN_CLOSED; i++) {
        while (!list_empty(&s->states[i]))
            http_conn__close(LIST_ITEM(s->states[i].next, struct conn, link), HTTP_CLOSE_DRAIN);
    }
}

static void on_grace(uv_timer_t *t)
{
    close_all(t->data);
}

void http_server_drain(struct http_server *s, int64_t grace_ms, void (*drained)(void *),
                       void *ctx)
{
    if (s->draining)
        return;
    s->draining = true;
    http_conn__rested(s);
    s->drained = drained;
    s->drained_ctx = ctx;
    uv_timer_start(&s->grace, on_grace, grace_ms > 0 ? (uint64_t)grace_ms : 0, 0);
    http_server__want_turn(s);
}

bool http_server_draining(const struct http_server *s)
{
    return s->draining;
}

void http_server_free(struct http_server **server)
{
    struct http_server *s = *server;

    if (!s)
        return;
    *server = NULL;
    s->freed = true;
    close_all(s);
    uv_close((uv_handle_t *)&s->tick, on_handle_closed);
    uv_close((uv_handle_t *)&s->grace, on_handle_closed);
    uv_close((uv_handle_t *)&s->last, on_handle_closed);
    uv_close((uv_handle_t *)&s->rest, on_handle_closed);
    uv_close((uv_handle_t *)&s->check, on_handle_closed);
    uv_close((uv_handle_t *)&s->idle, on_handle_closed);
    close_listener(s);
}
