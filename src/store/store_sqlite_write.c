/*
 * The half of the SQLite back-end that writes. It runs on the store's thread, but for opening.
 */
#include "store/store_sqlite_int.h"

#include <stdlib.h>
#include <sys/statvfs.h>
#include <time.h>

/*
 * The log is folded into the file (a checkpoint) when nobody waits and it is worth it, and
 * under load after this many pages. Commits wait meanwhile, so it is done often and quickly:
 * measured with 64 writers, 4000 pages held commits up for 30 ms at times, 500 for 8 to 14,
 * at the same number of puts a second.
 */
#ifndef CHECKPOINT_FRAMES
#define CHECKPOINT_IDLE_FRAMES 256
#define CHECKPOINT_FRAMES 500
#endif

/* A trial takes one page: on a full disk it may fit where no session does. */
#ifndef TRIAL_ROOM
#define TRIAL_ROOM (256 * 1024)
#endif

/* How long a commit waits for other processes that share the file. */
#define BUSY_ROUNDS 5000
#define BUSY_NAP_US 1000

/* SQLite's own waits up to 100 ms between looks, and then the quicker process starves it. */
static int on_busy(void *ctx, int rounds)
{
    struct timespec nap = {.tv_nsec = BUSY_NAP_US * 1000L};

    (void)ctx;
    nanosleep(&nap, NULL);
    return rounds < BUSY_ROUNDS;
}

static int on_wal(void *ctx, sqlite3 *db, const char *name, int frames)
{
    struct sqlite_store *q = ctx;

    (void)db;
    (void)name;
    q->wal_frames = frames;
    return SQLITE_OK;
}

/* Changing to WAL does not ask on_busy, and two processes may start together. */
static int turn_wal_on(struct sqlite_store *q, struct err *e)
{
    sqlite3_stmt *st = NULL;
    bool on = false;
    int rc = sqlite3_prepare_v2(q->writer, "PRAGMA journal_mode = WAL", -1, &st, NULL);

    for (int round = 0; rc == SQLITE_OK; round++) {
        rc = sqlite3_step(st);
        if (rc == SQLITE_ROW)
            on = sqlite3_stricmp((const char *)sqlite3_column_text(st, 0), "wal") == 0;
        sqlite3_reset(st);
        if (rc == SQLITE_ROW || (rc & 0xff) != SQLITE_BUSY || !on_busy(NULL, round))
            break;
        rc = SQLITE_OK;
    }
    sqlite3_finalize(st);
    if (rc != SQLITE_ROW)
        return store__sqlite_err(e, q, q->writer, rc, "open the store");
    if (!on)
        return err_set(e, ERR_STORE, 0,
                       "the folder of '%s' cannot hold a store: its file system has no shared "
                       "memory; choose a local one",
                       q->path);
    return 0;
}

int store__sqlite_writer_open(struct sqlite_store *q, struct err *e)
{
    int rc =
        sqlite3_open_v2(q->path, &q->writer, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);

    if (rc == SQLITE_OK)
        rc = sqlite3_extended_result_codes(q->writer, 1);
    if (rc == SQLITE_OK)
        rc = sqlite3_busy_handler(q->writer, on_busy, NULL);
    if (rc != SQLITE_OK)
        return store__sqlite_err(e, q, q->writer, rc, "open the store");
    if (turn_wal_on(q, e) < 0)
        return -1;
    /* What is deleted was sealed, so overwriting it with zeros would buy nothing. */
    rc = sqlite3_exec(q->writer,
                      "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;"
                      "PRAGMA secure_delete = OFF; PRAGMA trusted_schema = OFF;"
                      "PRAGMA cell_size_check = ON; PRAGMA journal_size_limit = 67108864",
                      NULL, NULL, NULL);
    if (rc != SQLITE_OK)
        return store__sqlite_err(e, q, q->writer, rc, "open the store");
    sqlite3_wal_hook(q->writer, on_wal, q);
    return 0;
}

int store__sqlite_writer_prepare(struct sqlite_store *q, struct err *e)
{
    static const char *const sql[SQL__COUNT] = {
#define STMT(name, text) [SQL_##name] = text,
#include "store/store_sqlite.def"
#undef STMT
    };

    for (int i = 0; i < SQL__COUNT; i++) {
        int rc = sqlite3_prepare_v3(q->writer, sql[i], -1, SQLITE_PREPARE_PERSISTENT,
                                    &q->stmts[i], NULL);
        if (rc != SQLITE_OK)
            return store__sqlite_err(e, q, q->writer, rc, "open the store");
    }
    return 0;
}

/* Run a statement that gives no row, or one row of one number. SQLITE_OK or an error. */
static int run_stmt(struct sqlite_store *q, enum sqlite_stmt which, int64_t *ret)
{
    sqlite3_stmt *st = q->stmts[which];
    int rc = sqlite3_step(st);

    if (rc == SQLITE_ROW) {
        if (ret)
            *ret = sqlite3_column_int64(st, 0);
        rc = SQLITE_DONE;
    }
    sqlite3_reset(st);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

int store__sqlite_rows(struct sqlite_store *q, uint64_t *ret)
{
    int64_t rows = 0;
    int rc = run_stmt(q, SQL_ROWS, &rows);

    if (rc == SQLITE_OK)
        *ret = rows > 0 ? (uint64_t)rows : 0;
    return rc;
}

static int conflict(struct sqlite_store *q, struct store_write *w)
{
    int64_t version = 0;
    int rc = sqlite3_bind_text(q->stmts[SQL_VERSION], 1, w->id, -1, SQLITE_STATIC);

    if (rc == SQLITE_OK)
        rc = run_stmt(q, SQL_VERSION, &version);
    if (rc != SQLITE_OK)
        return rc;
    w->result = (uint64_t)version;
    err_set(&w->err, ERR_CONFLICT, 0, "the put replaces version %llu, the store has %llu",
            (unsigned long long)w->replaces, (unsigned long long)version);
    return SQLITE_OK;
}

/* Id, time, bytes and the version there must be: what all that write a row have in common. */
static int write_row(struct sqlite_store *q, struct store_write *w, enum sqlite_stmt which)
{
    sqlite3_stmt *st = q->stmts[which];
    int rc = sqlite3_bind_text(st, 1, w->id, -1, SQLITE_STATIC);

    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int64(st, 2, w->used_at_s);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_blob64(st, 3, w->data, w->len, SQLITE_STATIC);
    if (rc == SQLITE_OK && which != SQL_INSERT)
        rc = sqlite3_bind_int64(st, 4, (int64_t)w->replaces);
    return rc == SQLITE_OK ? run_stmt(q, which, NULL) : rc;
}

static int put(struct sqlite_store *q, struct store_write *w)
{
    int rc = write_row(q, w, w->replaces ? SQL_UPDATE : SQL_INSERT);

    if (rc != SQLITE_OK)
        return rc;
    if (sqlite3_changes(q->writer) == 0)
        return conflict(q, w);
    w->result = w->replaces + 1;
    q->row_delta += w->replaces == 0;
    return SQLITE_OK;
}

static int replace(struct sqlite_store *q, struct store_write *w)
{
    int rc = write_row(q, w, SQL_REPLACE);

    if (rc == SQLITE_OK)
        w->result = sqlite3_changes(q->writer) ? w->replaces : 0;
    return rc;
}

static int remove_one(struct sqlite_store *q, struct store_write *w)
{
    int rc = sqlite3_bind_text(q->stmts[SQL_DELETE], 1, w->id, -1, SQLITE_STATIC);

    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int64(q->stmts[SQL_DELETE], 2, (int64_t)w->replaces);
    if (rc == SQLITE_OK)
        rc = run_stmt(q, SQL_DELETE, NULL);
    if (rc == SQLITE_OK)
        q->row_delta -= sqlite3_changes(q->writer);
    return rc;
}

static int expire(struct sqlite_store *q, struct store_write *w)
{
    int rc = sqlite3_bind_int64(q->stmts[SQL_EXPIRE], 1, w->used_at_s);

    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int64(q->stmts[SQL_EXPIRE], 2, w->max);
    if (rc == SQLITE_OK)
        rc = run_stmt(q, SQL_EXPIRE, NULL);
    if (rc == SQLITE_OK) {
        w->result = (uint64_t)sqlite3_changes64(q->writer);
        q->row_delta -= (int64_t)w->result;
    }
    return rc;
}

static int carry_out(struct sqlite_store *q, struct store_write *w)
{
    switch (w->kind) {
    case STORE_PUT:
        return put(q, w);
    case STORE_REPLACE:
        return replace(q, w);
    case STORE_DELETE:
        return remove_one(q, w);
    case STORE_EXPIRE:
        return expire(q, w);
    }
    return SQLITE_MISUSE;
}

/* The whole store is at fault, not this write: the next one would fail the same way. */
static bool fails_all(int rc)
{
    switch (rc & 0xff) {
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_NOMEM:
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
        return true;
    default:
        return false;
    }
}

/* One go at the transaction. *bad is the write that stopped it, or NULL. */
static int try_commit(struct sqlite_store *q, struct list *writes, uint64_t *rows,
                      struct store_write **bad)
{
    int rc = run_stmt(q, SQL_BEGIN, NULL);

    *bad = NULL;
    q->row_delta = 0;
    if (rc == SQLITE_OK && list_empty(writes))
        rc = run_stmt(q, SQL_TRIAL, NULL);
    LIST_EACH(at, after, writes)
    {
        struct store_write *w = LIST_ITEM(at, struct store_write, link);
        if (rc != SQLITE_OK)
            break;
        if (w->err.code && w->err.code != ERR_CONFLICT)
            continue; /* has failed already */
        w->err.code = ERR_NONE;
        w->result = 0;
        rc = carry_out(q, w);
        if (rc != SQLITE_OK)
            *bad = w;
    }
    if (rc == SQLITE_OK && q->row_delta) {
        rc = sqlite3_bind_int64(q->stmts[SQL_ADD_ROWS], 1, q->row_delta);
        if (rc == SQLITE_OK)
            rc = run_stmt(q, SQL_ADD_ROWS, NULL);
    }
    if (rc == SQLITE_OK)
        rc = store__sqlite_rows(q, rows);
    if (rc == SQLITE_OK)
        rc = run_stmt(q, SQL_COMMIT, NULL);
    return rc;
}

/* Every write that has no failure of its own gets this one. */
static void fail_all(struct list *writes, const struct err *e)
{
    LIST_EACH(at, after, writes)
    {
        struct store_write *w = LIST_ITEM(at, struct store_write, link);
        if (w->err.code && w->err.code != ERR_CONFLICT)
            continue;
        w->err = *e;
        w->result = 0;
    }
}

static bool has_room(const struct sqlite_store *q)
{
    struct statvfs fs;

    return statvfs(q->path, &fs) < 0 || (uint64_t)fs.f_bavail * fs.f_frsize >= TRIAL_ROOM;
}

int store__sqlite_commit(void *self, struct list *writes, uint64_t *rows)
{
    struct sqlite_store *q = self;
    struct store_write *bad;
    struct err e;
    int rc;

    if (list_empty(writes) && !has_room(q))
        return -1;
    for (;;) {
        rc = try_commit(q, writes, rows, &bad);
        if (rc == SQLITE_OK)
            return 0;
        store__sqlite_err(&e, q, q->writer, rc, bad ? "write a session" : "commit");
        /* Some failures have rolled back already. */
        if (!sqlite3_get_autocommit(q->writer))
            sqlite3_exec(q->writer, "ROLLBACK", NULL, NULL, NULL);
        if (!bad || fails_all(rc))
            break;
        bad->err = e; /* the others go again without it */
        bad->result = 0;
    }
    fail_all(writes, &e);
    return -1;
}

void store__sqlite_tidy(void *self, bool idle)
{
    struct sqlite_store *q = self;

    if (atomic_exchange(&q->shed, false))
        sqlite3_db_release_memory(q->writer);
    if (q->wal_frames < (idle ? CHECKPOINT_IDLE_FRAMES : CHECKPOINT_FRAMES))
        return;
    /* A failure is not lost: the log stays as it is, and the next commit meets it too. */
    (void)sqlite3_wal_checkpoint_v2(q->writer, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    q->wal_frames = 0;
}
