/*
 * The store's thread: takes what has come together, has it committed, hands the answers back.
 * While one transaction waits for the disk the next one fills, so the size of a transaction
 * follows the load by itself and no delay needs to be chosen.
 */
#include "store/store_int.h"

#include "base/alloc.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
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
 * Wait for writes and take them. An empty batch is a trial: without it a store that failed
 * would stay unhealthy for as long as its bad health keeps writers away. NULL: closing.
 */
static struct store_batch *take(struct store_queue *q, bool healthy)
{
    struct store_batch *b;
    int r = 0;

    pthread_mutex_lock(&q->lock);
    if (healthy) {
        while (list_empty(&q->waiting) && !q->closing)
            pthread_cond_wait(&q->more, &q->lock);
    } else {
        struct timespec until = after_ms(TRIAL_MS);
        while (list_empty(&q->waiting) && !q->closing && r != ETIMEDOUT)
            r = pthread_cond_timedwait(&q->more, &q->lock, &until);
    }
    if (list_empty(&q->waiting) && q->closing) {
        pthread_mutex_unlock(&q->lock);
        return NULL;
    }
    b = xalloc(sizeof(*b));
    list_init(&b->link);
    list_init(&b->writes);
    while (!list_empty(&q->waiting) && b->count < BATCH_WRITES && b->bytes < BATCH_BYTES) {
        struct store_write *w = LIST_ITEM(list_first(&q->waiting), struct store_write, link);
        list_remove(&w->link);
        list_append(&b->writes, &w->link);
        b->count++;
        b->bytes += w->len;
    }
    pthread_mutex_unlock(&q->lock);
    return b;
}

/* Returns whether nobody waits for another transaction. */
static bool hand_back(struct store *s, struct store_batch *b)
{
    struct store_queue *q = &s->queue;
    bool first, idle;

    pthread_mutex_lock(&q->lock);
    first = list_empty(&q->done);
    list_append(&q->done, &b->link);
    idle = list_empty(&q->waiting);
    pthread_mutex_unlock(&q->lock);
    if (first && s->cfg.wake)
        s->cfg.wake(s->cfg.wake_ctx);
    return idle;
}

static void *run(void *arg)
{
    struct store *s = arg;
    struct store_batch *b;
    bool healthy = true;

    while ((b = take(&s->queue, healthy)) != NULL) {
        uint64_t start = now_us();
        bool before = healthy, trial = b->count == 0;

        healthy = b->worked = s->ops->commit(s->self, &b->writes, &b->rows) == 0;
        b->us = now_us() - start;
        if (trial && healthy == before) {
            free(b); /* no news */
            continue;
        }
        s->ops->tidy(s->self, hand_back(s, b));
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

void store__queue_reap(struct store *s, struct list *to)
{
    struct store_queue *q = &s->queue;

    pthread_mutex_lock(&q->lock);
    LIST_EACH(at, after, &q->done)
    {
        list_remove(at);
        list_append(to, at);
    }
    pthread_mutex_unlock(&q->lock);
}
