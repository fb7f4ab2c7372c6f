#include "net/net_int.h"

#include "base/alloc.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

struct loop_timer {
    uv_timer_t uv;
    bool once;
    void (*fn)(void *ctx);
    void *ctx;
};

struct loop_wake {
    uv_async_t uv;
    void (*fn)(void *ctx);
    void *ctx;
};

struct loop_watch {
    uv_poll_t uv;
    void (*fn)(void *ctx);
    void *ctx;
};

struct loop_signal {
    uv_signal_t uv;
    struct loop_signal *next;
    void (*fn)(void *ctx, int signum);
    void *ctx;
};

int loop_new(struct loop **ret, struct err *e)
{
    struct loop *l = xalloc(sizeof(*l));
    int rc = uv_loop_init(&l->uv);

    if (rc < 0) {
        free(l);
        return err_set(e, ERR_IO, -rc, "make the event loop");
    }
    signal(SIGPIPE, SIG_IGN); /* a client that left is an error code, not a signal */
    *ret = l;
    return 0;
}

static void free_handle(uv_handle_t *h)
{
    free(h->data);
}

static void on_nothing(uv_poll_t *p, int status, int events)
{
    (void)p;
    (void)status;
    (void)events;
}

/*
 * libuv keeps a table by number of descriptor and grows it when it meets a higher one. So let
 * it meet the highest: an event that nobody sets, under that number, watched for a moment.
 */
void loop_expect_conns(struct loop *l, unsigned conns)
{
    unsigned count = conns + OTHER_FDS;
    struct rlimit most;
    uv_poll_t *p = xalloc(sizeof(*p));
    int low = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), fd = -1;

    if (getrlimit(RLIMIT_NOFILE, &most) == 0 && most.rlim_cur <= count)
        count = (unsigned)most.rlim_cur - 1;
    for (; low >= 0 && fd < 0 && count > 64; count -= count / 8)
        fd = fcntl(low, F_DUPFD_CLOEXEC, (int)count);
    if (low >= 0)
        close(low);
    if (fd < 0 || uv_poll_init(&l->uv, p, fd) < 0) {
        free(p);
    } else {
        p->data = p;
        if (uv_poll_start(p, UV_READABLE, on_nothing) == 0)
            uv_poll_stop(p);
        uv_close((uv_handle_t *)p, free_handle);
    }
    if (fd >= 0)
        close(fd);
}

void loop_free(struct loop **l)
{
    if (!*l)
        return;
    for (struct loop_signal *s = (*l)->signals, *next; s; s = next) {
        next = s->next;
        uv_close((uv_handle_t *)&s->uv, free_handle);
    }
    while ((*l)->jobs) /* what a thread has cannot be called back */
        uv_run(&(*l)->uv, UV_RUN_ONCE);
    /* Only closing handles may be left; each turn calls back those that are done. */
    for (int turns = 0; uv_loop_close(&(*l)->uv) == UV_EBUSY; turns++) {
        MUST(turns < 100);
        uv_run(&(*l)->uv, UV_RUN_NOWAIT);
    }
    free(*l);
    *l = NULL;
}

void loop_run(struct loop *l)
{
    uv_run(&l->uv, UV_RUN_DEFAULT);
}

void loop_stop(struct loop *l)
{
    uv_stop(&l->uv);
}

int64_t loop_now(const struct loop *l)
{
    return (int64_t)uv_now(&l->uv);
}

uint64_t loop_hrtime_ns(void)
{
    return uv_hrtime();
}

static void on_timer(uv_timer_t *uv)
{
    struct loop_timer *t = uv->data;

    t->fn(t->ctx);
}

static struct loop_timer *timer_start(struct loop_timer *t, struct loop *l, int64_t first_ms,
                                      int64_t period_ms, void (*fn)(void *), void *ctx)
{
    uint64_t first = first_ms > 0 ? (uint64_t)first_ms : 0;

    t->fn = fn;
    t->ctx = ctx;
    MUST(uv_timer_init(&l->uv, &t->uv) == 0);
    t->uv.data = t;
    uv_update_time(&l->uv); /* before the loop runs its clock stands still */
    MUST(uv_timer_start(&t->uv, on_timer, first, (uint64_t)period_ms) == 0);
    uv_unref((uv_handle_t *)&t->uv);
    return t;
}

struct loop_timer *loop_every(struct loop *l, int64_t period_ms, void (*fn)(void *), void *ctx)
{
    return timer_start(xalloc(sizeof(struct loop_timer)), l, period_ms,
                       period_ms > 0 ? period_ms : 0, fn, ctx);
}

struct loop_timer *loop_after(struct loop *l, int64_t delay_ms, void (*fn)(void *), void *ctx)
{
    return timer_start(xalloc(sizeof(struct loop_timer)), l, delay_ms, 0, fn, ctx);
}

struct loop_timer *loop_try_after(struct loop *l, int64_t delay_ms, void (*fn)(void *),
                                  void *ctx)
{
    struct loop_timer *t = calloc(1, sizeof(*t));

    return t ? timer_start(t, l, delay_ms, 0, fn, ctx) : NULL;
}

void loop_timer_free(struct loop_timer **t)
{
    if (*t)
        uv_close((uv_handle_t *)&(*t)->uv, free_handle);
    *t = NULL;
}

static void on_wake(uv_async_t *uv)
{
    struct loop_wake *w = uv->data;

    w->fn(w->ctx);
}

struct loop_wake *loop_wake_new(struct loop *l, void (*fn)(void *), void *ctx)
{
    struct loop_wake *w = xalloc(sizeof(*w));

    w->fn = fn;
    w->ctx = ctx;
    MUST(uv_async_init(&l->uv, &w->uv, on_wake) == 0);
    w->uv.data = w;
    return w;
}

void loop_wake_up(struct loop_wake *w)
{
    uv_async_send(&w->uv);
}

void loop_wake_free(struct loop_wake **w)
{
    if (*w)
        uv_close((uv_handle_t *)&(*w)->uv, free_handle);
    *w = NULL;
}

static void on_watched(uv_poll_t *uv, int status, int events)
{
    struct loop_watch *w = uv->data;

    (void)events;
    if (status < 0)
        uv_poll_stop(uv); /* what it watched is gone, and would be ready for ever */
    else
        w->fn(w->ctx);
}

struct loop_watch *loop_watch_new(struct loop *l, int fd, bool urgent, void (*fn)(void *),
                                  void *ctx)
{
    struct loop_watch *w = xalloc(sizeof(*w));

    w->fn = fn;
    w->ctx = ctx;
    if (uv_poll_init(&l->uv, &w->uv, fd) < 0) {
        free(w);
        return NULL;
    }
    w->uv.data = w;
    if (uv_poll_start(&w->uv, urgent ? UV_PRIORITIZED : UV_READABLE, on_watched) < 0)
        loop_watch_free(&w);
    else
        uv_unref((uv_handle_t *)&w->uv);
    return w;
}

void loop_watch_free(struct loop_watch **w)
{
    if (*w)
        uv_close((uv_handle_t *)&(*w)->uv, free_handle);
    *w = NULL;
}

static void on_signal(uv_signal_t *uv, int signum)
{
    struct loop_signal *s = uv->data;

    s->fn(s->ctx, signum);
}

int loop_signal(struct loop *l, int signum, void (*fn)(void *ctx, int signum), void *ctx,
                struct err *e)
{
    struct loop_signal *s = xalloc(sizeof(*s));

    s->fn = fn;
    s->ctx = ctx;
    int rc = uv_signal_init(&l->uv, &s->uv);
    if (rc < 0) {
        free(s);
        return err_set(e, ERR_IO, -rc, "watch signal %d", signum);
    }
    s->uv.data = s;
    rc = uv_signal_start(&s->uv, on_signal, signum);
    if (rc < 0) {
        uv_close((uv_handle_t *)&s->uv, free_handle);
        return err_set(e, ERR_IO, -rc, "watch signal %d", signum);
    }
    uv_unref((uv_handle_t *)&s->uv);
    s->next = l->signals;
    l->signals = s;
    return 0;
}
