#include "store/store_sqlite_int.h"

#include "base/alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define APPLICATION_ID 1298233697 /* "Maya" */
#define SCHEMA 1
#define READ_BUSY_MS 1000

static const char schema_sql[] =
    "CREATE TABLE session("
    " id TEXT NOT NULL UNIQUE,"
    " version INTEGER NOT NULL,"
    " used_at INTEGER NOT NULL,"
    " data BLOB NOT NULL) STRICT;"
    "CREATE INDEX session_used_at ON session(used_at);"
    "CREATE TABLE meta(name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "INSERT INTO meta VALUES('rows', 0), ('trials', 0);"
    "PRAGMA application_id = 1298233697;"
    "PRAGMA user_version = 1;";

int store__sqlite_err(struct err *e, const struct sqlite_store *q, sqlite3 *db, int rc,
                      const char *doing)
{
    int sys = db ? sqlite3_system_errno(db) : 0;

    switch (rc & 0xff) {
    case SQLITE_FULL:
        return err_set(e, ERR_STORE, 0, "%s: the disk is full, '%s' cannot grow", doing,
                       q->path);
    case SQLITE_IOERR:
        return err_set(e, ERR_STORE, sys, "%s: the disk failed under '%s' (SQLite says %d)",
                       doing, q->path, rc);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return err_set(e, ERR_STORE, 0, "%s: another process keeps '%s' locked", doing,
                       q->path);
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
        return err_set(e, ERR_STORE, sys, "%s: '%s' (and its folder) must be writable", doing,
                       q->path);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return err_set(e, ERR_CORRUPT, 0,
                       "%s: '%s' is damaged (%s); restore a copy, or move it and its -wal away "
                       "to start empty",
                       doing, q->path, sqlite3_errstr(rc));
    case SQLITE_NOMEM:
        return err_set(e, ERR_NOMEM, 0, "%s: SQLite got no memory", doing);
    default:
        return err_set(e, ERR_STORE, 0, "%s: '%s': %s", doing, q->path,
                       db ? sqlite3_errmsg(db) : sqlite3_errstr(rc));
    }
}

static int get(void *self, const char *id, uint64_t known, store_get_fn *fn, void *ctx)
{
    struct sqlite_store *q = self;
    sqlite3_stmt *st = q->get;
    bool nested = q->getting;
    struct err e = {0};
    int rc = SQLITE_OK;

    if (nested) /* the row of the outer one must stay as it is */
        rc = sqlite3_prepare_v2(q->reader, sqlite3_sql(q->get), -1, &st, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_text(st, 1, id, -1, SQLITE_STATIC);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int64(st, 2, (int64_t)known);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(st);
    q->getting = true;
    if (rc == SQLITE_ROW) {
        /* First of all the blob: where it lies on several pages it is read only now. */
        const void *data = sqlite3_column_blob(st, 2);
        if (!data && sqlite3_errcode(q->reader) != SQLITE_ROW)
            rc = sqlite3_errcode(q->reader);
        const struct store_row row = {
            .version = (uint64_t)sqlite3_column_int64(st, 0),
            .used_at_s = sqlite3_column_int64(st, 1),
            .data = data,
            .len = (size_t)sqlite3_column_bytes(st, 2),
        };
        if (rc == SQLITE_ROW)
            fn(ctx, &row, NULL);
    } else if (rc == SQLITE_DONE) {
        fn(ctx, NULL, NULL);
    }
    if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
        store__sqlite_err(&e, q, q->reader, rc, "read a session");
        fn(ctx, NULL, &e);
    }
    q->getting = nested;
    if (nested)
        sqlite3_finalize(st);
    else
        sqlite3_reset(st);
    return e.code ? -1 : 0;
}

static int rows(void *self, uint64_t *ret)
{
    struct sqlite_store *q = self;
    int rc = sqlite3_step(q->rows);
    int64_t n = rc == SQLITE_ROW ? sqlite3_column_int64(q->rows, 0) : 0;

    sqlite3_reset(q->rows);
    if (rc != SQLITE_ROW)
        return -1;
    *ret = n > 0 ? (uint64_t)n : 0;
    return 0;
}

/* The row the statement stands on. Its blob first, as in get(). */
static int scanned(struct sqlite_store *q, uint64_t *cursor, store_scan_fn *fn, void *ctx,
                   bool *more)
{
    const void *data = sqlite3_column_blob(q->scan, 4);

    if (!data && sqlite3_errcode(q->reader) != SQLITE_ROW)
        return sqlite3_errcode(q->reader);
    const char *id = (const char *)sqlite3_column_text(q->scan, 1);
    if (!id)
        return SQLITE_CORRUPT; /* no row is written without one */
    const struct store_row row = {
        .version = (uint64_t)sqlite3_column_int64(q->scan, 2),
        .used_at_s = sqlite3_column_int64(q->scan, 3),
        .data = data,
        .len = (size_t)sqlite3_column_bytes(q->scan, 4),
    };
    *cursor = (uint64_t)sqlite3_column_int64(q->scan, 0);
    *more = fn(ctx, id, &row);
    return SQLITE_ROW;
}

static int scan(void *self, uint64_t *cursor, unsigned max, store_scan_fn *fn, void *ctx,
                struct err *e)
{
    struct sqlite_store *q = self;
    bool more = true;
    unsigned n = 0;
    int rc;

    MUST(!q->scanning);
    q->scanning = true;
    rc = sqlite3_bind_int64(q->scan, 1, (int64_t)*cursor);
    for (rc = rc == SQLITE_OK ? SQLITE_ROW : rc; rc == SQLITE_ROW && more && n < max; n++) {
        rc = sqlite3_step(q->scan);
        if (rc == SQLITE_ROW)
            rc = scanned(q, cursor, fn, ctx, &more);
    }
    sqlite3_reset(q->scan);
    q->scanning = false;
    if (rc == SQLITE_DONE || rc == SQLITE_ROW) {
        *cursor = rc == SQLITE_DONE ? 0 : *cursor;
        return 0;
    }
    *cursor += (rc & 0xff) == SQLITE_CORRUPT;
    return store__sqlite_err(e, q, q->reader, rc, "read the sessions in turn");
}

/* The number is another one after each commit of another connection (our writer is one). */
static bool changed(void *self)
{
    struct sqlite_store *q = self;
    int rc = sqlite3_step(q->change);
    int64_t n = rc == SQLITE_ROW ? sqlite3_column_int64(q->change, 0) : 0;

    sqlite3_reset(q->change);
    if (rc == SQLITE_ROW && n == q->changes)
        return false;
    q->changes = n;
    return true;
}

static bool recent_one(struct sqlite_store *q, struct store_place *place, store_scan_fn *fn,
                       void *ctx)
{
    const char *id = (const char *)sqlite3_column_text(q->recent, 1);
    const struct store_row row = {
        .version = (uint64_t)sqlite3_column_int64(q->recent, 2),
        .used_at_s = sqlite3_column_int64(q->recent, 3),
    };

    *place = (struct store_place){row.used_at_s, (uint64_t)sqlite3_column_int64(q->recent, 0)};
    return !id || fn(ctx, id, &row); /* what has no name is nobody's */
}

static int recent(void *self, struct store_place *place, unsigned max, store_scan_fn *fn,
                  void *ctx, bool *ret_more, struct err *e)
{
    struct sqlite_store *q = self;
    bool more = true;
    unsigned n = 0;

    MUST(!q->scanning);
    q->scanning = true;
    int rc = sqlite3_bind_int64(q->recent, 1, place->used_at_s);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int64(q->recent, 2, (int64_t)place->row);
    for (rc = rc == SQLITE_OK ? SQLITE_ROW : rc; rc == SQLITE_ROW && more && n < max; n++) {
        rc = sqlite3_step(q->recent);
        if (rc == SQLITE_ROW)
            more = recent_one(q, place, fn, ctx);
    }
    sqlite3_reset(q->recent);
    q->scanning = false;
    *ret_more = rc == SQLITE_ROW;
    if (rc == SQLITE_DONE || rc == SQLITE_ROW)
        return 0;
    return store__sqlite_err(e, q, q->reader, rc, "read which sessions were used lately");
}

/* SQLite would make the file as the umask says. Its -wal and -shm take the mode of this one. */
static int make_file(const char *path, struct err *e)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0 && errno == EEXIST)
        return 0; /* not opened: closing it would drop locks that this process may hold */
    if (fd < 0)
        return err_set(e, ERR_STORE, errno, "make the store '%s'", path);
    close(fd);

    /* The name must be as durable as what is committed under it. */
    char *folder = xstrdup(path);
    char *slash = strrchr(folder, '/');
    if (slash)
        slash[slash == folder] = '\0';
    fd = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(folder);
    if (fd >= 0) {
        (void)fsync(fd);
        close(fd);
    }
    return 0;
}

static int read_int(sqlite3 *db, const char *sql, int64_t *ret)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &st, NULL);

    if (rc == SQLITE_OK)
        rc = sqlite3_step(st);
    if (rc == SQLITE_ROW)
        *ret = sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    return rc == SQLITE_ROW ? SQLITE_OK : rc == SQLITE_DONE ? SQLITE_ERROR : rc;
}

/* Inside a transaction that holds the write lock: two processes may start together. */
static int check_schema(struct sqlite_store *q, struct err *e)
{
    int64_t application = 0, schema = 0, tables = 0;
    sqlite3 *db = q->writer;
    int rc = read_int(db, "PRAGMA application_id", &application);

    if (rc == SQLITE_OK)
        rc = read_int(db, "PRAGMA user_version", &schema);
    if (rc == SQLITE_OK)
        rc = read_int(db, "SELECT count(*) FROM sqlite_master", &tables);
    if (rc != SQLITE_OK)
        return store__sqlite_err(e, q, db, rc, "open the store");
    if (application == APPLICATION_ID && schema > SCHEMA)
        return err_set(e, ERR_NEWER, 0,
                       "the store '%s' was written by a newer version of Maya (schema %lld, "
                       "known here %d); run that version",
                       q->path, (long long)schema, SCHEMA);
    if (application == APPLICATION_ID && schema == SCHEMA)
        return 0;
    if (application != 0 || schema != 0 || tables != 0)
        return err_set(e, ERR_CONFIG, 0, "'%s' is the database of another program", q->path);
    rc = sqlite3_exec(db, schema_sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? 0
                           : store__sqlite_err(e, q, db, rc, "make the tables of the store");
}

static int prepare_schema(struct sqlite_store *q, struct err *e)
{
    int rc = sqlite3_exec(q->writer, "BEGIN IMMEDIATE", NULL, NULL, NULL);

    if (rc != SQLITE_OK)
        return store__sqlite_err(e, q, q->writer, rc, "open the store");
    if (check_schema(q, e) < 0) {
        sqlite3_exec(q->writer, "ROLLBACK", NULL, NULL, NULL);
        return -1;
    }
    rc = sqlite3_exec(q->writer, "COMMIT", NULL, NULL, NULL);
    return rc == SQLITE_OK ? 0 : store__sqlite_err(e, q, q->writer, rc, "open the store");
}

static int prepare_reads(struct sqlite_store *q)
{
    const struct {
        sqlite3_stmt **at;
        const char *sql;
    } reads[] = {
        {&q->get, "SELECT version, used_at, iif(version = ?2, NULL, data) FROM session "
                  "WHERE id = ?1"},
        {&q->rows, "SELECT value FROM meta WHERE name = 'rows'"},
        /* In the order of the table and not of the ids: page after page. */
        {&q->scan, "SELECT rowid, id, version, used_at, data FROM session "
                   "WHERE rowid > ?1 ORDER BY rowid"},
        {&q->change, "PRAGMA data_version"},
        /* Along the index on used_at, whose entries end in the rowid. */
        {&q->recent, "SELECT rowid, id, version, used_at FROM session "
                     "WHERE (used_at, rowid) > (?1, ?2) ORDER BY used_at, rowid"},
    };
    int rc = SQLITE_OK;

    for (size_t i = 0; rc == SQLITE_OK && i < ARRAY_LEN(reads); i++)
        rc = sqlite3_prepare_v3(q->reader, reads[i].sql, -1, SQLITE_PREPARE_PERSISTENT,
                                reads[i].at, NULL);
    return rc;
}

static int open_reader(struct sqlite_store *q, struct err *e)
{
    int rc =
        sqlite3_open_v2(q->path, &q->reader, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);

    if (rc == SQLITE_OK)
        rc = sqlite3_exec(q->reader, "PRAGMA query_only = ON; PRAGMA trusted_schema = OFF",
                          NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_busy_timeout(q->reader, READ_BUSY_MS);
    if (rc == SQLITE_OK)
        rc = prepare_reads(q);
    return rc == SQLITE_OK ? 0 : store__sqlite_err(e, q, q->reader, rc, "open the store");
}

static void close_all(void *self)
{
    struct sqlite_store *q = self;

    sqlite3_finalize(q->get);
    sqlite3_finalize(q->scan);
    sqlite3_finalize(q->rows);
    sqlite3_finalize(q->change);
    sqlite3_finalize(q->recent);
    sqlite3_close(q->reader);
    for (int i = 0; i < SQL__COUNT; i++)
        sqlite3_finalize(q->stmts[i]);
    sqlite3_close(q->writer); /* the last one to go folds the log into the file */
    free(q->path);
    free(q);
}

static void shed(void *self)
{
    struct sqlite_store *q = self;

    sqlite3_db_release_memory(q->reader);
    atomic_store(&q->shed, true);
}

/* All that SQLite holds in this process, whichever store's it is: there is one. */
static uint64_t memory(void *self)
{
    (void)self;
    return (uint64_t)sqlite3_memory_used();
}

static const struct store_ops sqlite_ops = {
    .name = "sqlite",
    .get = get,
    .rows = rows,
    .scan = scan,
    .changed = changed,
    .recent = recent,
    .commit = store__sqlite_commit,
    .tidy = store__sqlite_tidy,
    .shed = shed,
    .memory = memory,
    .close = close_all,
};

int store_open_sqlite(const struct store_cfg *cfg, struct store **ret, struct err *e)
{
    struct sqlite_store *q = xalloc(sizeof(*q));
    uint64_t rows = 0;
    int rc;

    q->path = xstrdup(cfg->path);
    if (make_file(q->path, e) < 0 || store__sqlite_writer_open(q, e) < 0 ||
        prepare_schema(q, e) < 0 || store__sqlite_writer_prepare(q, e) < 0 ||
        open_reader(q, e) < 0) {
        close_all(q);
        return -1;
    }
    rc = store__sqlite_rows(q, &rows);
    if (rc != SQLITE_OK) {
        store__sqlite_err(e, q, q->writer, rc, "open the store");
        close_all(q);
        return -1;
    }
    return store__new(&sqlite_ops, q, cfg, rows, ret, e);
}
