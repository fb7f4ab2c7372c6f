/*
 * Private to store/: a write on its way, and the table of functions a back-end fills in.
 *
 * store.c is the door and lives on the owner's thread. store_queue.c owns the thread and the
 * two lists between it and the owner. A back-end (store_sqlite.c) knows neither list nor lock.
 */
#pragma once

#include "base/list.h"
#include "store/store.h"

#include <pthread.h>

enum store_write_kind { STORE_PUT, STORE_REPLACE, STORE_DELETE, STORE_EXPIRE };

/* One write and its answer, in one allocation: the id and the data follow it. */
struct store_write {
    struct list link;
    enum store_write_kind kind;
    const char *id;
    uint64_t replaces; /* STORE_REPLACE, STORE_DELETE: the version it must still have */
    int64_t used_at_s; /* of the row; for STORE_EXPIRE the moment before which rows go */
    unsigned max;      /* STORE_EXPIRE */
    const void *data;
    size_t len;
    store_done_fn *on_done;
    store_expired_fn *on_expired;
    void *ctx;

    /* The answer. */
    uint64_t result; /* the row's version now; for STORE_EXPIRE the number of rows */
    struct err err;
    /* Of the first one of a transaction that worked: how many writes it had, and its time. */
    unsigned count;
    uint64_t us;
};

struct store_ops {
    const char *name;

    /* The owner's thread. Calls fn once, before it returns. -1 when it could not be read.
     * Without the bytes of a row that has version `known`; 0 is none's. */
    int (*get)(void *self, const char *id, uint64_t known, store_get_fn *fn, void *ctx);

    /* The owner's thread: how many are committed. -1 when that could not be read. */
    int (*rows)(void *self, uint64_t *ret);

    /* The owner's thread, as store_scan(). */
    int (*scan)(void *self, uint64_t *cursor, unsigned max, store_scan_fn *fn, void *ctx,
                struct err *e);

    /* The owner's thread, as store_changed() and store_recent(). */
    bool (*changed)(void *self);
    int (*recent)(void *self, struct store_place *place, unsigned max, store_scan_fn *fn,
                  void *ctx, bool *ret_more, struct err *e);

    /*
     * The store's thread: carry out every write in one transaction and make it durable. Fills
     * result and err of each, and *rows. -1: nothing is durable, and every err says why. An
     * empty list is a trial: write something and say whether that works.
     */
    int (*commit)(void *self, struct list *writes, uint64_t *rows);

    /* The store's thread, after the answers are out. `idle`: nobody is waiting now. */
    void (*tidy)(void *self, bool idle);

    /* The owner's thread: let go of caches; what is the store's thread's goes in its tidy(). */
    void (*shed)(void *self);
    uint64_t (*memory)(void *self); /* bytes it holds */

    /* The owner's thread, when the store's thread has ended. Frees self. */
    void (*close)(void *self);
};

/*
 * Both threads touch what is below `lock`, and only under it. The store's thread asks for no
 * memory of its own: its answers are in the writes.
 */
struct store_queue {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct list waiting; /* store_write */
    struct list done;    /* store_write, answered */
    bool closing;
    bool news;     /* since the owner reaped, the owner was woken */
    bool worked;   /* the newest transaction */
    uint64_t rows; /* after the newest one that worked */
};

struct store {
    const struct store_ops *ops;
    void *self;
    struct store_cfg cfg;
    struct store_queue queue;
    /* The owner's thread. */
    struct list answering; /* store_write */
    struct store_stats stats;
};

/* store.c: takes `self` over; on failure it is closed. `rows` is the count now. */
int store__new(const struct store_ops *ops, void *self, const struct store_cfg *cfg,
               uint64_t rows, struct store **ret, struct err *e) MUST_USE;

/* store_queue.c */
int store__queue_start(struct store *s, struct err *e) MUST_USE;
void store__queue_stop(struct store *s); /* ends when all that waits is carried out */
void store__queue_release(struct store *s);
void store__queue_add(struct store *s, struct store_write *w);
void store__queue_reap(struct store *s); /* the done ones to `answering`, the news to stats */
