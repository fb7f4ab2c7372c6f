/*
 * The store's thread: takes what has come together, has it committed, hands the answers back.
 * While one transaction waits for the disk the next one fills, so the size of a transaction
 * follows the load by itself and no delay needs to be chosen.
 */
#include "store/store_int.h"

#include <errno.h>
#include <signal.h>
#include <time.h>

#define BATCH_WRITES 512
#define BATCH_BYTES ((size_t)16 << 20)
#define TRIAL_MS 250 /* how often a store that failed is tried while nobody writes */

static struct timespec after_ms(long ms)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_nsec += ms % 1000 * 1000000;
    t.tv_sec += ms / 1000 + t.tv_nsec / 1000000000;
    t.tv_nsec %= 1000000000;
    return t;
}

static uint64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

/*
 * Wait for writes and take them. No writes are a trial: without it a store that failed would
 * stay unhealthy for as long as its bad health keeps writers away. False: closing.
 */
static bool take(struct store_queue *q, bool healthy, struct list *writes, unsigned *ret_count)
{
    size_t bytes = 0;
    int r = 0;

    *ret_count = 0;
    pthread_mutex_lock(&q->lock);
    if (healthy) {
        while (list_empty(&q->waiting) && !q->closing)
            pthread_cond_wait(&q->more, &q->lock);
    } else {
        struct timespec until = after_ms(TRIAL_MS);
        while (list_empty(&q->waiting) && !q->closing && r != ETIMEDOUT)
            r = pthread_cond_timedwait(&q->more, &q->lock, &until);
    }
    bool closed = list_empty(&q->waiting) && q->closing;
    while (!list_empty(&q->waiting) && *ret_count < BATCH_WRITES && bytes < BATCH_BYTES) {
        struct store_write *w = LIST_ITEM(list_first(&q->waiting), struct store_write, link);
        list_remove(&w->link);
        list_append(writes, &w->link);
        ++*ret_count;
        bytes += w->len;
    }
    pthread_mutex_unlock(&q->lock);
    return !closed;
}

/* Returns whether nobody waits for another transaction. */
static bool hand_back(struct store *s, struct list *writes, bool worked, uint64_t rows)
{
    struct store_queue *q = &s->queue;
    bool told, idle;

    pthread_mutex_lock(&q->lock);
    told = q->news;
    q->news = true;
    q->worked = worked;
    if (worked)
        q->rows = rows;
    list_append_all(&q->done, writes);
    idle = list_empty(&q->waiting);
    pthread_mutex_unlock(&q->lock);
    if (!told && s->cfg.wake)
        s->cfg.wake(s->cfg.wake_ctx);
    return idle;
}

static void *run(void *arg)
{
    struct store *s = arg;
    struct list writes;
    unsigned count;
    bool healthy = true;

    list_init(&writes);
    while (take(&s->queue, healthy, &writes, &count)) {
        uint64_t start = now_us(), rows = 0;
        bool worked = s->ops->commit(s->self, &writes, &rows) == 0;

        if (count && worked) {
            struct store_write *w = LIST_ITEM(list_first(&writes), struct store_write, link);
            w->count = count;
            w->us = now_us() - start;
        }
        if (count || worked != healthy)
            s->ops->tidy(s->self, hand_back(s, &writes, worked, rows));
        healthy = worked;
    }
    return NULL;
}

int store__queue_start(struct store *s, struct err *e)
{
    struct store_queue *q = &s->queue;
    pthread_condattr_t attr;
    sigset_t all, before;
    int r;

    list_init(&q->waiting);
    list_init(&q->done);
    q->rows = s->stats.rows;
    pthread_mutex_init(&q->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&q->more, &attr);
    pthread_condattr_destroy(&attr);

    /* Signals are the owner's business. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    r = pthread_create(&q->thread, NULL, run, s);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (r)
        return err_set(e, ERR_STORE, r, "start the store's thread");
    pthread_setname_np(q->thread, "maya-store");
    return 0;
}

void store__queue_stop(struct store *s)
{
    struct store_queue *q = &s->queue;

    pthread_mutex_lock(&q->lock);
    q->closing = true;
    pthread_cond_signal(&q->more);
    pthread_mutex_unlock(&q->lock);
    pthread_join(q->thread, NULL);
}

void store__queue_release(struct store *s)
{
    pthread_cond_destroy(&s->queue.more);
    pthread_mutex_destroy(&s->queue.lock);
}

void store__queue_add(struct store *s, struct store_write *w)
{
    struct store_queue *q = &s->queue;
    bool first;

    pthread_mutex_lock(&q->lock);
    first = list_empty(&q->waiting);
    list_append(&q->waiting, &w->link);
    pthread_mutex_unlock(&q->lock);
    if (first)
        pthread_cond_signal(&q->more);
}

void store__queue_reap(struct store *s)
{
    struct store_queue *q = &s->queue;

    pthread_mutex_lock(&q->lock);
    list_append_all(&s->answering, &q->done);
    if (q->news) {
        s->stats.healthy = q->worked;
        s->stats.rows = q->rows;
    }
    q->news = false;
    pthread_mutex_unlock(&q->lock);
}
