/* A few rows of a store that others are writing, read without touching anything of it. */
#include "store/store_sqlite_int.h"

#include "base/alloc.h"

#include <stdlib.h>
#include <unistd.h>

static const char sql[] = "SELECT id, version, used_at, data FROM session WHERE rowid IN "
                          "(SELECT rowid FROM session ORDER BY random() LIMIT ?1)";

/* `immutable`: nobody has it open, and its log is folded in; there is no file of locks then. */
static int open_reader(const char *path, bool immutable, sqlite3 **ret)
{
    char *uri = xprintf("file:%s%s", path, immutable ? "?immutable=1" : "");
    int rc = sqlite3_open_v2(
        uri, ret, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI, NULL);

    free(uri);
    if (rc == SQLITE_OK)
        rc = sqlite3_busy_timeout(*ret, 2000);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(*ret, "SELECT count(*) FROM meta", NULL, NULL, NULL);
    return rc;
}

int store_sample_sqlite(const char *path, unsigned max, store_scan_fn *fn, void *ctx,
                        struct err *e)
{
    struct sqlite_store q = {.path = (char *)(uintptr_t)path};
    sqlite3_stmt *st = NULL;
    sqlite3 *db = NULL;
    int rc;

    if (access(path, F_OK) < 0)
        return 0;
    rc = open_reader(path, false, &db);
    if (rc == SQLITE_CANTOPEN) {
        sqlite3_close(db);
        rc = open_reader(path, true, &db);
    }
    if (rc == SQLITE_OK)
        rc = sqlite3_prepare_v2(db, sql, -1, &st, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int(st, 1, (int)max);
    while (rc == SQLITE_OK && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        const struct store_row row = {
            .data = sqlite3_column_blob(st, 3),
            .len = (size_t)sqlite3_column_bytes(st, 3),
            .version = (uint64_t)sqlite3_column_int64(st, 1),
            .used_at_s = sqlite3_column_int64(st, 2),
        };
        const char *id = (const char *)sqlite3_column_text(st, 0);
        rc = id && row.data && fn(ctx, id, &row) ? SQLITE_OK : SQLITE_CORRUPT;
    }
    int result = rc == SQLITE_DONE ? 0 : store__sqlite_err(e, &q, db, rc, "read a sample");
    sqlite3_finalize(st);
    sqlite3_close(db);
    return result;
}
