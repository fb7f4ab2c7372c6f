/*
 * store: where sessions are durable. A row is an id, a version, the time of its last use, and
 * bytes the store does not understand (they are sealed). Every put names the version it
 * replaces, so two writers cannot overwrite each other.
 *
 * Writes go to one thread that commits what has come together in one transaction (group
 * commit); answers come back on the caller's thread inside store_reap(), which the owner calls
 * after `wake` was called (from the store's thread) - so the store knows no event loop. A call
 * back never happens inside the call that asked for it, except for store_get(), which may.
 * The answers to the writes of one id come in the order they were asked. A read sees what is
 * committed, not what is still queued.
 *
 * A write that was answered without an error is durable. One that failed with ERR_STORE may be
 * there nonetheless (the disk may fail after it wrote): read again before trying again. Every
 * other code means that nothing was changed.
 */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;

struct store_row {
    uint64_t version;  /* >= 1 */
    int64_t used_at_s; /* unix seconds of the last use */
    const void *data;
    size_t len;
};

struct store_stats {
    uint64_t puts, gets, deletes, replaces, commits, conflicts, failures, expired;
    uint64_t queued; /* writes waiting now */
    uint64_t bytes_written;
    uint64_t queued_bytes;
    uint64_t memory; /* bytes the back-end holds: its caches and all else */
    uint64_t rows;   /* sessions in the store, kept by counting */
    bool healthy;    /* the last commit worked */
};

/* `row` is NULL when there is none. `e` is set, and row NULL, on failure. */
typedef void store_get_fn(void *ctx, const struct store_row *row, const struct err *e);
/* `version` is the one the row has now. e->code is ERR_CONFLICT when `replaces` was stale. */
typedef void store_done_fn(void *ctx, uint64_t version, const struct err *e);
/* One of many rows; false: no more for now. */
typedef bool store_scan_fn(void *ctx, const char *id, const struct store_row *row);
/* `count` rows were removed. */
typedef void store_expired_fn(void *ctx, uint64_t count, const struct err *e);

struct store_cfg {
    const char *path;             /* SQLite: file; its folder must exist */
    void (*wake)(void *wake_ctx); /* from the store's thread: store_reap() has work */
    void *wake_ctx;
    /* In store_reap(), may be NULL: a transaction of `writes` writes took `us`. */
    void (*on_commit)(void *ctx, uint64_t us, unsigned writes);
    void *commit_ctx;
};

/*
 * Opens (and where needed makes, mode 0600) the database: WAL, synchronous=FULL, one row a
 * session. Several processes may share the file. ERR_STORE when it cannot be used, ERR_CORRUPT
 * when it is damaged, ERR_NEWER when a newer version of this program has changed its tables.
 */
int store_open_sqlite(const struct store_cfg *cfg, struct store **ret, struct err *e) MUST_USE;

/*
 * Up to `max` rows by chance of a store that others use, which may lie on what can only be
 * read. Nothing of it is written. No file: no rows. fn false: ERR_CORRUPT.
 */
int store_sample_sqlite(const char *path, unsigned max, store_scan_fn *fn, void *ctx,
                        struct err *e) MUST_USE;

/* Commits what is queued, answers it, closes. */
void store_close(struct store **s);

void store_get(struct store *s, const char *id, store_get_fn *fn, void *ctx);
/* The same for who has `version` already: while the row has it too, it comes without its bytes
 * (data NULL), which are not read. */
void store_get_newer(struct store *s, const char *id, uint64_t version, store_get_fn *fn,
                     void *ctx);

/*
 * Up to `max` committed rows, in the store's own order. *cursor is 0 at first and tells where
 * to go on; 0 afterwards: that were all. A row that stays is seen once, one that comes or goes
 * meanwhile perhaps. The rows are borrowed; fn may write, but not scan. After ERR_CORRUPT the
 * cursor is behind what cannot be read; that may be one of many such places.
 */
int store_scan(struct store *s, uint64_t *cursor, unsigned max, store_scan_fn *fn, void *ctx,
               struct err *e) MUST_USE;

/*
 * Has anything been committed since the last call, by this process or another one that shares
 * the file? A commit of this process counts when it is there, maybe before its answer has come.
 * True also when it cannot be said. Cheap: no row is looked at.
 */
bool store_changed(struct store *s);

/* A place among rows in the order of their last use. */
struct store_place {
    int64_t used_at_s;
    uint64_t row; /* the store's own name of it */
};

/*
 * Up to `max` committed rows behind *place, in the order of their last use, whoever wrote them,
 * and without their bytes (data NULL). *place tells where to go on, *ret_more whether there may
 * be more. Otherwise as store_scan().
 */
int store_recent(struct store *s, struct store_place *place, unsigned max, store_scan_fn *fn,
                 void *ctx, bool *ret_more, struct err *e) MUST_USE;

/*
 * What is written is queued, or -1: there is no memory for it (ERR_NOMEM), and `fn` is not
 * called. Once queued it needs none of ours any more.
 */

/* `data` is copied. replaces 0: there must be no row. The new version is replaces + 1. */
int store_put(struct store *s, const char *id, uint64_t replaces, int64_t used_at_s,
              const void *data, size_t len, store_done_fn *fn, void *ctx,
              struct err *e) MUST_USE;

/*
 * Put other bytes in the place of the same content: version and time of use stay as they are.
 * Only where both are still the row's; elsewhere somebody wrote newer, nothing is changed, and
 * the answer's version is 0.
 */
int store_replace(struct store *s, const char *id, uint64_t version, int64_t used_at_s,
                  const void *data, size_t len, store_done_fn *fn, void *ctx,
                  struct err *e) MUST_USE;

/* Removing what is not there is no error. `version`: only while the row has it; 0: any. */
int store_delete(struct store *s, const char *id, uint64_t version, store_done_fn *fn,
                 void *ctx, struct err *e) MUST_USE;

/* Remove up to `max` rows last used before `before_s`. */
int store_expire(struct store *s, int64_t before_s, unsigned max, store_expired_fn *fn,
                 void *ctx, struct err *e) MUST_USE;

/* Run the answers that have come. Call it on the loop, after wake. */
void store_reap(struct store *s);

void store_stats(const struct store *s, struct store_stats *ret);

/* Committed rows now, those of other processes too, where stats.rows is as of this one's last
 * commit; that one when they cannot be read. */
uint64_t store_rows(struct store *s);

/* Let go of caches; those of writing go with the next commit. */
void store_shed(struct store *s);
