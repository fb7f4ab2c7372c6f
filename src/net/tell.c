#include "net/tell.h"

#include "base/alloc.h"
#include "net/net_int.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNS 16
#define ASKED_MAX 32
#define WAIT_MS 100  /* for what is asked; who asks nothing is told all the same */
#define TAKE_MS 1000 /* to take the line */
#define BACKLOG 64

/* Handles of libuv that live and die together with the server. */
struct tell_conn {
    struct net_tell *server;
    uv_tcp_t tcp;
    uv_timer_t timer;
    uv_write_t write;
    int handles; /* open or closing; 0: free */
    uint64_t number;
    bool told, closing;
    char asked[ASKED_MAX];
    size_t asked_len;
    char line[TELL_LINE_MAX];
};

struct net_tell {
    struct loop *loop;
    net_tell_fn *fn;
    void *ctx;
    uv_tcp_t tcp;
    bool freed, closed;
    bool waiting; /* somebody has come whom nobody has accepted */
    int port;
    uint64_t accepted;
    struct tell_conn conns[CONNS];
};

static void free_if_done(struct net_tell *s)
{
    if (!s->freed || !s->closed)
        return;
    for (int i = 0; i < CONNS; i++)
        if (s->conns[i].handles)
            return;
    free(s);
}

static void accept_one(struct tell_conn *c);

static void on_conn_closed(uv_handle_t *h)
{
    struct tell_conn *c = h->data;
    struct net_tell *s = c->server;

    if (--c->handles)
        return;
    if (s->freed)
        free_if_done(s);
    else if (s->waiting)
        accept_one(c);
}

static void close_conn(struct tell_conn *c)
{
    if (c->closing)
        return;
    c->closing = true;
    uv_close((uv_handle_t *)&c->tcp, on_conn_closed);
    uv_close((uv_handle_t *)&c->timer, on_conn_closed);
}

static void on_written(uv_write_t *w, int status)
{
    (void)status;
    close_conn(w->data);
}

static void on_not_taken(uv_timer_t *t)
{
    close_conn(t->data);
}

static void tell(struct tell_conn *c)
{
    struct net_tell *s = c->server;

    if (c->told)
        return;
    c->told = true;
    c->line[0] = '\0';
    s->fn(s->ctx, (struct str){c->asked, c->asked_len}, c->line);
    uv_buf_t buf = uv_buf_init(c->line, (unsigned)strnlen(c->line, TELL_LINE_MAX - 1));
    c->write.data = c;
    if (uv_write(&c->write, (uv_stream_t *)&c->tcp, &buf, 1, on_written) < 0)
        close_conn(c);
    else
        uv_timer_start(&c->timer, on_not_taken, TAKE_MS, 0);
}

static void on_waited(uv_timer_t *t)
{
    tell(t->data);
}

static void on_room(uv_handle_t *h, size_t wanted, uv_buf_t *ret)
{
    struct tell_conn *c = h->data;
    static char thrown_away[256];

    (void)wanted;
    *ret = c->told ? uv_buf_init(thrown_away, sizeof(thrown_away))
                   : uv_buf_init(c->asked + c->asked_len,
                                 (unsigned)(sizeof(c->asked) - c->asked_len));
}

/* A question ends with a '%', as HAProxy's does, with a line, or where it gets too long. */
static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct tell_conn *c = stream->data;

    if (n < 0) {
        if (c->told || n != UV_EOF)
            close_conn(c);
        else
            tell(c); /* its side is shut; it may still hear */
        return;
    }
    if (c->told || n == 0)
        return;
    c->asked_len += (size_t)n;
    if (memchr(buf->base, '%', (size_t)n) || memchr(buf->base, '\n', (size_t)n) ||
        c->asked_len == sizeof(c->asked))
        tell(c);
}

static void accept_one(struct tell_conn *c)
{
    struct net_tell *s = c->server;

    s->waiting = false;
    *c = (struct tell_conn){.server = s, .handles = 2, .number = s->accepted++};
    uv_tcp_init(&s->loop->uv, &c->tcp);
    uv_timer_init(&s->loop->uv, &c->timer);
    c->tcp.data = c->timer.data = c;
    uv_unref((uv_handle_t *)&c->timer);
    if (uv_accept((uv_stream_t *)&s->tcp, (uv_stream_t *)&c->tcp) < 0 ||
        uv_read_start((uv_stream_t *)&c->tcp, on_room, on_read) < 0) {
        close_conn(c);
        return;
    }
    uv_timer_start(&c->timer, on_waited, WAIT_MS, 0);
}

/* When all places are taken, the one that has been there longest has to go. */
static void on_connection(uv_stream_t *listener, int status)
{
    struct net_tell *s = listener->data;
    struct tell_conn *oldest = NULL;

    if (status < 0 || s->freed)
        return;
    for (int i = 0; i < CONNS; i++) {
        struct tell_conn *c = &s->conns[i];
        if (!c->handles) {
            c->server = s;
            accept_one(c);
            return;
        }
        if (!c->closing && (!oldest || c->number < oldest->number))
            oldest = c;
    }
    s->waiting = true;
    if (oldest)
        close_conn(oldest);
}

static void on_listener_closed(uv_handle_t *h)
{
    struct net_tell *s = h->data;

    s->closed = true;
    free_if_done(s);
}

static int bind_to(struct net_tell *s, const char *host, int port, struct err *e)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    struct sockaddr_storage sa = {0};
    int len = sizeof(sa);
    char text[12];

    snprintf(text, sizeof(text), "%d", port);
    int rc = getaddrinfo(strcmp(host, "localhost") == 0 ? "127.0.0.1" : host, text, &hints,
                         &found); /* numbers only: it never waits */
    if (rc != 0)
        return err_set(e, ERR_IO, 0, "listen on '%s' port %d: %s", host, port,
                       gai_strerror(rc));
    rc = uv_tcp_bind(&s->tcp, found->ai_addr, 0);
    freeaddrinfo(found);
    if (rc == 0)
        rc = uv_listen((uv_stream_t *)&s->tcp, BACKLOG, on_connection);
    if (rc == 0)
        rc = uv_tcp_getsockname(&s->tcp, (struct sockaddr *)&sa, &len);
    if (rc < 0)
        return err_set(e, ERR_IO, -rc, "listen on '%s' port %d", host, port);
    if (sa.ss_family == AF_INET6)
        s->port = ntohs(((struct sockaddr_in6 *)&sa)->sin6_port);
    else if (sa.ss_family == AF_INET)
        s->port = ntohs(((struct sockaddr_in *)&sa)->sin_port);
    return 0;
}

int net_tell_new(struct loop *l, const char *host, int port, net_tell_fn *fn, void *ctx,
                 struct net_tell **ret, struct err *e)
{
    struct net_tell *s = xalloc(sizeof(*s));

    s->loop = l;
    s->fn = fn;
    s->ctx = ctx;
    MUST(uv_tcp_init(&l->uv, &s->tcp) == 0);
    s->tcp.data = s;
    uv_unref((uv_handle_t *)&s->tcp);
    if (bind_to(s, host, port, e) < 0) {
        net_tell_free(&s);
        return -1;
    }
    *ret = s;
    return 0;
}

int net_tell_port(const struct net_tell *s)
{
    return s->port;
}

void net_tell_free(struct net_tell **server)
{
    struct net_tell *s = *server;

    if (!s)
        return;
    *server = NULL;
    s->freed = true;
    for (int i = 0; i < CONNS; i++)
        if (s->conns[i].handles)
            close_conn(&s->conns[i]);
    uv_close((uv_handle_t *)&s->tcp, on_listener_closed);
}
