/*
 * After a change of the master key: what older keys sealed is sealed again with the current
 * one, row by row and bounded in each tick. A row keeps its version, so a session in memory
 * does not notice; where a turn was quicker its row is newer, and sealed with the current key
 * anyway. Nothing is kept about how far it came: a start begins at the first row again, and is
 * done when it has looked at all of them.
 */
#include "session/session.h"

#include "base/log.h"
#include "seal/seal.h"
#include "session/session_int.h"

#include <string.h>

/*
 * Measured: a row of 2 KB costs the loop 16 us, so nobody is held up for more than about a
 * millisecond in a tick. 100,000 rows take seven minutes that way; a rotation has time.
 */
#define ROWS_PER_TICK 64
#define BYTES_PER_TICK ((size_t)256 << 10)
#define DAMAGED_MOST 4096 /* places in a row that cannot be read: then it is the rest */
#define QUEUE_MOST 512    /* writes that wait for the disk already: let people go first */
#define RETRY_S 10        /* after the store failed */

void session__reseal_secret(struct session_table *t, const char *id, uint8_t *sealed,
                            size_t len)
{
    struct buf plain = BUF_INIT, fresh = BUF_INIT;

    if (seal_current(t->cfg.seal, sealed, len))
        return;
    /* What nobody can open stays what it is. The length is that of the plain text and a bit. */
    if (seal_unlock(t->cfg.seal, id, sealed, len, &plain, NULL) == 0) {
        seal_lock(t->cfg.seal, id, plain.data, plain.len, &fresh);
        if (fresh.len == len)
            memcpy(sealed, fresh.data, len);
    }
    buf_wipe(&plain);
    buf_release(&fresh);
}

/* The store has answered; version 0: the row had moved on. */
static void resealed(void *ctx, uint64_t version, const struct err *e)
{
    struct session_table *t = ctx;
    struct session_reseal *r = &t->reseal;

    r->waiting--;
    r->failed += e != NULL;
    if (!e && version) {
        r->rewritten++;
        t->stats.resealed++;
    }
}

static int reseal_row(struct session_table *t, const char *id, const struct store_row *row,
                      struct err *e)
{
    struct buf sealed = BUF_INIT, *plain = &t->plain;

    buf_clear(plain);
    int rc = seal_unlock(t->cfg.seal, id, row->data, row->len, plain, e);
    if (rc == 0)
        rc = session__reseal_plain(t, id, plain->data, plain->len, e);
    if (rc == 0) {
        seal_lock(t->cfg.seal, id, plain->data, plain->len, &sealed);
        if (sealed.full)
            rc = err_set(e, ERR_NOMEM, 0, "%s", err_sentence(ERR_NOMEM));
    }
    session__plain_done(t);
    if (rc == 0) {
        rc = store_replace(t->cfg.store, id, row->version, row->used_at_s, sealed.data,
                           sealed.len, resealed, t, e);
        t->reseal.waiting += rc == 0;
    }
    buf_release(&sealed);
    return rc;
}

static bool look(void *ctx, const char *id, const struct store_row *row)
{
    struct session_table *t = ctx;
    struct session_reseal *r = &t->reseal;
    struct err e;

    r->seen++;
    r->damaged = 0;
    r->bytes += row->len;
    if (!seal_current(t->cfg.seal, row->data, row->len) && reseal_row(t, id, row, &e) < 0) {
        if (e.code == ERR_NOMEM)
            r->failed++; /* another time */
        else
            r->unreadable++;
    }
    return r->bytes < BYTES_PER_TICK;
}

static void begin_pass(struct session_reseal *r)
{
    r->state = SESSION_RESEAL_PASS;
    r->cursor = r->seen = r->unreadable = r->failed = r->damaged = 0;
    r->at_end = false;
}

/* All that was asked of the store before is durable now, whatever became of the asking. */
static void drained(void *ctx, uint64_t version, const struct err *e)
{
    struct session_table *t = ctx;
    struct session_reseal *r = &t->reseal;

    (void)version;
    r->waiting--;
    if (e || r->generation != seal_generation(t->cfg.seal))
        return; /* the next tick asks again */
    seal_release_older(t->cfg.seal);
    begin_pass(r);
}

static void drain(struct session_table *t)
{
    struct err e;

    /* Of no row. When it is refused the next tick asks again. */
    if (store_replace(t->cfg.store, "", 0, 0, NULL, 0, drained, t, &e) == 0)
        t->reseal.waiting++;
}

static void begin(struct session_table *t)
{
    struct session_reseal *r = &t->reseal;
    struct seal_key_info key;
    struct store_stats store;

    r->generation = seal_generation(t->cfg.seal);
    r->again = false;
    r->rewritten = 0;
    if (seal_key_count(t->cfg.seal) == 1) {
        r->state = SESSION_RESEAL_DONE;
        return;
    }
    seal_key_info(t->cfg.seal, 0, &key);
    store_stats(t->cfg.store, &store);
    log_info("session", "reseal", "key=%s older=%u sessions=%llu", key.id,
             seal_key_count(t->cfg.seal) - 1, (unsigned long long)store.rows);
    r->state = SESSION_RESEAL_DRAIN;
}

static void end_pass(struct session_table *t, int64_t now_s)
{
    struct session_reseal *r = &t->reseal;
    struct seal_key_info key;

    if (r->failed) {
        begin_pass(r);
        r->not_before_s = now_s + RETRY_S;
        return;
    }
    r->state = SESSION_RESEAL_DONE;
    seal_key_info(t->cfg.seal, 0, &key);
    log_event(r->unreadable ? LOG_WARN : LOG_INFO, "session", "resealed",
              "key=%s sessions=%llu sealed=%llu unreadable=%llu", key.id,
              (unsigned long long)r->seen, (unsigned long long)r->rewritten,
              (unsigned long long)r->unreadable);
}

/* A damaged place in the store costs the rows that lie there, not those behind it. */
static int scan(struct session_table *t, struct err *e)
{
    struct session_reseal *r = &t->reseal;

    r->bytes = 0;
    for (unsigned i = 0; i < ROWS_PER_TICK; i++) {
        if (store_scan(t->cfg.store, &r->cursor, ROWS_PER_TICK, look, t, e) == 0)
            return 0;
        if (e->code != ERR_CORRUPT)
            return -1;
        r->unreadable++;
        if (++r->damaged == DAMAGED_MOST) {
            r->cursor = 0;
            return 0;
        }
    }
    return 0;
}

static void go_on(struct session_table *t, int64_t now_s)
{
    struct session_reseal *r = &t->reseal;
    struct err e;

    if (r->at_end) {
        r->at_end = false;
        end_pass(t, now_s);
        return;
    }
    if (scan(t, &e) < 0) {
        log_warn("session", "reseal_failed", "error=\"%s\"", e.msg);
        r->not_before_s = now_s + RETRY_S;
        return;
    }
    r->at_end = r->cursor == 0; /* and all writes answered: at a later tick */
}

/* Was the key changed under us? A failure is told once. */
static void look_for_keys(struct session_table *t)
{
    unsigned before = seal_generation(t->cfg.seal);
    struct err e;
    bool failed = seal_refresh(t->cfg.seal, &e) < 0;

    if (failed && !t->reseal.keys_failed)
        log_warn("seal", "keys_not_read", "error=\"%s\"", e.msg);
    t->reseal.keys_failed = failed;
    if (seal_generation(t->cfg.seal) != before)
        log_debug("seal", "keys_read", "keys=%u", seal_key_count(t->cfg.seal));
}

uint64_t session__reseal_pending(const struct session_table *t)
{
    const struct session_reseal *r = &t->reseal;
    struct store_stats store;

    if (r->state == SESSION_RESEAL_DONE &&
        (r->generation == seal_generation(t->cfg.seal) || seal_key_count(t->cfg.seal) == 1))
        return 0;
    store_stats(t->cfg.store, &store);
    uint64_t left = (store.rows > r->seen ? store.rows - r->seen : 0) + r->waiting + r->failed;
    return left ? left : 1; /* until it is known that there are none */
}

void session__reseal_tick(struct session_table *t, int64_t now_s)
{
    struct session_reseal *r = &t->reseal;
    struct store_stats store;

    look_for_keys(t);
    if (r->waiting)
        return;
    store_stats(t->cfg.store, &store);
    if (r->generation != seal_generation(t->cfg.seal) ||
        (r->state == SESSION_RESEAL_DONE && r->again))
        begin(t);
    if (store.healthy && r->state == SESSION_RESEAL_DRAIN)
        drain(t);
    else if (store.healthy && r->state == SESSION_RESEAL_PASS && now_s >= r->not_before_s &&
             !t->refuse && store.queued < QUEUE_MOST)
        go_on(t, now_s);
}
