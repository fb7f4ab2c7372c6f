#include "net/net_int.h"

#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

/*
 * Sending. What the kernel takes at once costs no memory. What it does not take waits in a
 * `struct out`: one write that libuv has, and the bytes behind it. A client that takes nothing
 * for write_ms, or lets a stream pile up above max_queued, is cut off.
 */

static void on_written(uv_write_t *w, int status);

size_t http_conn__queued(const struct conn *c)
{
    return c->out ? uv_stream_get_write_queue_size(&c->uv.stream) + c->out->next.len : 0;
}

/* Before the memory is there: false when the budget, or everybody's share, has no room. */
static bool pay(struct out *o, size_t n)
{
    struct http_server *s = o->conn->server;
    size_t most = s->cfg.max_queued_all;

    if (o->budget ? !budget_charge(o->budget, n) : most && (n > most || s->queued > most - n)) {
        o->refused = true;
        return false;
    }
    if (!o->budget)
        s->queued += n;
    o->charged += n;
    return true;
}

static void pay_back(struct out *o, size_t n)
{
    MUST(n <= o->charged);
    o->charged -= n;
    if (o->budget)
        budget_return(o->budget, n);
    else
        o->conn->server->queued -= n;
}

/* How the bufs of a queue get their memory. */
static void *resize(struct buf_mem *mem, void *p, size_t old_size, size_t new_size)
{
    struct out *o = LIST_ITEM(mem, struct out, mem);
    size_t before = net__block(old_size), after = net__block(new_size);

    if (new_size == 0) {
        free(p);
        pay_back(o, before);
        return NULL;
    }
    if (after > before && !pay(o, after - before))
        return NULL;
    void *q = realloc(p, new_size);
    if (!q && after > before)
        pay_back(o, after - before);
    else if (q && after < before)
        pay_back(o, before - after);
    return q;
}

static void drop_flying(struct out *o)
{
    if (o->flying)
        resize(&o->mem, o->flying, o->flying_cap, 0);
    o->flying = NULL;
}

static void out_free(struct conn *c)
{
    struct out *o = c->out;

    list_remove(&o->link);
    buf_release(&o->next);
    drop_flying(o);
    pay_back(o, o->charged); /* its own block */
    free(o);
    c->out = NULL;
}

void http_out__charge(struct conn *c, struct budget *b)
{
    struct out *o = c->out;

    if (!o || o->budget == b)
        return;
    if (b && !budget_charge(b, o->charged)) {
        http_conn__doom(c, HTTP_CLOSE_BUDGET);
        return;
    }
    if (o->budget)
        budget_return(o->budget, o->charged);
    else
        c->server->queued -= o->charged;
    if (!b)
        c->server->queued += o->charged;
    o->budget = b;
}

/* Nothing more can be kept for this reader. */
static void cut(struct conn *c, const struct out *o)
{
    http_conn__doom(c, !o->refused ? HTTP_CLOSE_MEMORY
                       : o->budget ? HTTP_CLOSE_BUDGET
                                   : HTTP_CLOSE_STALLED);
}

/* How much the client itself has taken: what lies in the kernel does not count. */
static int64_t taken(const struct out *o)
{
    uv_os_fd_t fd;
    int unread = 0;

    if (uv_fileno(&o->conn->uv.handle, &fd) < 0 || ioctl(fd, SIOCOUTQ, &unread) < 0)
        unread = 0;
    return (int64_t)(o->put - http_conn__queued(o->conn)) - unread;
}

static void arm(struct out *o)
{
    struct http_server *s = o->conn->server;

    list_remove(&o->link);
    o->deadline = loop_now(s->loop) + s->cfg.write_ms;
    o->mark = taken(o);
    list_append(&s->stalled, &o->link);
}

/* Give libuv what waits. */
static int fly_next(struct out *o)
{
    uv_buf_t b = uv_buf_init(NULL, (unsigned)o->next.len);

    drop_flying(o);
    o->flying_cap = o->next.cap;
    o->flying = b.base = buf_detach(&o->next);
    return uv_write(&o->uv, &o->conn->uv.stream, &b, 1, on_written);
}

static void on_written(uv_write_t *w, int status)
{
    struct out *o = w->data;
    struct conn *c = o->conn;

    if (status < 0 || c->state == CONN_CLOSED) {
        out_free(c);
        http_conn__doom(c, HTTP_CLOSE_GONE);
        return;
    }
    if (o->next.len) {
        if (fly_next(o) < 0) {
            out_free(c);
            http_conn__doom(c, HTTP_CLOSE_GONE);
        }
        return;
    }
    out_free(c);
    if (c->state == CONN_FLUSH)
        http_conn__next(c);
    else if (c->state == CONN_STREAM && !c->doomed && c->req->on_room)
        c->req->on_room(c->req->ctx, c->req);
}

/* What is left of bufs after n bytes were sent. */
static unsigned skip(uv_buf_t *bufs, unsigned count, size_t n)
{
    unsigned from = 0;

    while (from < count && n >= bufs[from].len)
        n -= bufs[from++].len;
    for (unsigned i = from; i < count; i++)
        bufs[i - from] = bufs[i];
    if (from < count) {
        bufs[0].base += n;
        bufs[0].len -= n;
    }
    return count - from;
}

/* The first bytes that the kernel did not take: from now on there is a queue. */
static bool begin(struct conn *c, const uv_buf_t *bufs, unsigned count, bool last_is_static)
{
    struct out *o = calloc(1, sizeof(*o));
    unsigned copied = last_is_static ? count - 1 : count;
    uv_buf_t fly[2];
    unsigned n = 0;

    if (!o)
        return false;
    *o = (struct out){.conn = c, .uv.data = o, .mem.resize = resize};
    o->budget = c->req ? c->req->budget : NULL;
    buf_init(&o->next, &o->mem);
    list_init(&o->link);
    if (!pay(o, net__block(sizeof(*o)))) {
        cut(c, o);
        free(o);
        return false;
    }
    for (unsigned i = 0; i < count; i++)
        o->put += bufs[i].len;
    for (unsigned i = 0; i < copied; i++)
        buf_add(&o->next, bufs[i].base, bufs[i].len);
    size_t len = o->next.len;
    bool full = o->next.full;
    o->flying_cap = o->next.cap;
    o->flying = full || len == 0 ? NULL : buf_detach(&o->next);
    if (o->flying)
        fly[n++] = uv_buf_init(o->flying, (unsigned)len);
    if (last_is_static)
        fly[n++] = bufs[count - 1];
    c->out = o;
    if (full || uv_write(&o->uv, &c->uv.stream, fly, n, on_written) < 0) {
        if (full)
            cut(c, o);
        out_free(c);
        return false;
    }
    arm(o);
    return true;
}

#define MAX_BUFS 4

void http_conn__send(struct conn *c, const uv_buf_t *bufs, unsigned count, bool last_is_static)
{
    uv_buf_t left[MAX_BUFS];

    if (c->doomed || c->state == CONN_CLOSED)
        return;
    MUST(count <= MAX_BUFS);
    if (c->out) {
        c->out->refused = false;
        for (unsigned i = 0; i < count; i++) {
            buf_add(&c->out->next, bufs[i].base, bufs[i].len);
            c->out->put += bufs[i].len;
        }
        if (c->out->next.full)
            cut(c, c->out);
        return;
    }
    int n = uv_try_write(&c->uv.stream, bufs, count);
    if (n < 0 && n != UV_EAGAIN) {
        http_conn__doom(c, HTTP_CLOSE_GONE);
        return;
    }
    memcpy(left, bufs, count * sizeof(*bufs));
    count = skip(left, count, n > 0 ? (size_t)n : 0);
    if (count && !begin(c, left, count, last_is_static))
        http_conn__doom(c, HTTP_CLOSE_MEMORY);
}

void http_out__sweep(struct http_server *s, int64_t now)
{
    LIST_EACH(at, after, &s->stalled)
    {
        struct out *o = LIST_ITEM(at, struct out, link);
        if (o->deadline > now)
            break;
        if (taken(o) > o->mark)
            arm(o); /* slow, but it reads */
        else
            http_conn__close(o->conn, HTTP_CLOSE_STALLED);
    }
}
