#include "net/loop.c"
#include "unit/tap.h"

#include <pthread.h>

static struct {
    struct loop *loop;
    int fired, woken, signalled;
    struct loop_timer *every;
} t;

static void begin(void)
{
    struct err e = {0};

    memset(&t, 0, sizeof(t));
    CHECK_INT(loop_new(&t.loop, &e), 0);
}

static void stop(void *ctx)
{
    (void)ctx;
    loop_stop(t.loop);
}

static void count(void *ctx)
{
    int *n = ctx;

    if (++*n == 3)
        loop_stop(t.loop);
}

static void timers_fire(void)
{
    int once = 0;

    begin();
    struct loop_wake *stay = loop_wake_new(t.loop, stop, NULL); /* keeps the loop alive */
    t.every = loop_every(t.loop, 2, count, &t.fired);
    int64_t start = loop_now(t.loop); /* the next call may move the clock on */
    struct loop_timer *after = loop_after(t.loop, 1, count, &once);
    loop_run(t.loop);
    CHECK_INT(t.fired, 3);
    CHECK_INT(once, 1);
    CHECK(loop_now(t.loop) >= start + 6);
    loop_timer_free(&t.every);
    loop_timer_free(&after);
    loop_wake_free(&stay);
    CHECK(!t.every && !after && !stay);
    loop_free(&t.loop);
    CHECK(!t.loop);
}

static void timers_do_not_keep_the_loop(void)
{
    begin();
    t.every = loop_every(t.loop, 3600 * 1000, count, &t.fired);
    loop_run(t.loop); /* returns, or the test never ends */
    CHECK_INT(t.fired, 0);
    loop_timer_free(&t.every);
    loop_free(&t.loop);
}

static void free_itself(void *ctx)
{
    (void)ctx;
    t.fired++;
    loop_timer_free(&t.every);
    loop_stop(t.loop);
}

static void timer_may_free_itself(void)
{
    begin();
    struct loop_wake *stay = loop_wake_new(t.loop, stop, NULL);
    t.every = loop_every(t.loop, 1, free_itself, NULL);
    loop_run(t.loop);
    CHECK_INT(t.fired, 1);
    loop_wake_free(&stay);
    loop_free(&t.loop);
}

static void on_woken(void *ctx)
{
    CHECK(ctx == &t);
    t.woken++;
    loop_stop(t.loop);
}

static void *wake_it(void *w)
{
    loop_wake_up(w);
    return NULL;
}

static void another_thread_wakes(void)
{
    pthread_t thread;

    begin();
    struct loop_wake *w = loop_wake_new(t.loop, on_woken, &t);
    CHECK_INT(pthread_create(&thread, NULL, wake_it, w), 0);
    loop_run(t.loop);
    pthread_join(thread, NULL);
    CHECK(t.woken >= 1);
    loop_wake_free(&w);
    loop_free(&t.loop);
}

static void on_sig(void *ctx, int signum)
{
    (void)ctx;
    t.signalled = signum;
    loop_stop(t.loop);
}

static void signals_arrive(void)
{
    struct err e = {0};

    begin();
    struct loop_wake *stay = loop_wake_new(t.loop, stop, NULL);
    CHECK_INT(loop_signal(t.loop, SIGUSR1, on_sig, NULL, &e), 0);
    raise(SIGUSR1);
    loop_run(t.loop);
    CHECK_INT(t.signalled, SIGUSR1);
    CHECK_INT(loop_signal(t.loop, SIGKILL, on_sig, NULL, &e), -1);
    CHECK_INT(e.code, ERR_IO);
    loop_wake_free(&stay);
    loop_free(&t.loop);
}

static void clocks_run(void)
{
    begin();
    uint64_t a = loop_hrtime_ns();
    CHECK(loop_hrtime_ns() >= a);
    CHECK(loop_unix_s() > 1600000000);
    loop_free(&t.loop);
    loop_free(&t.loop); /* nothing left: no harm */
}

static const struct tap_case cases[] = {
    {"timers fire, once or again and again", timers_fire},
    {"timers do not keep the loop alive", timers_do_not_keep_the_loop},
    {"a timer may free itself", timer_may_free_itself},
    {"another thread wakes the loop", another_thread_wakes},
    {"signals arrive", signals_arrive},
    {"clocks run", clocks_run},
};

TAP_MAIN(cases)
