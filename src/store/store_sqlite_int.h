/*
 * Private to store/: the SQLite back-end in its two halves. store_sqlite.c opens, reads and
 * closes on the owner's thread, store_sqlite_write.c writes on the store's thread; each has a
 * connection of its own, so a read never waits for a commit.
 *
 * One row a session, in a rowid table with an index on the id. A new session appends to the
 * table instead of splitting a random page of it, and a row of up to 4 KB lies in one leaf
 * page, where a key-ordered table (WITHOUT ROWID) would move all above 1 KB to overflow pages.
 * Measured with 100,000 rows of 2 KB: twice the puts a second, reads in a third of the time.
 */
#pragma once

#include "store/store_int.h"

#include <sqlite3.h>
#include <stdatomic.h>

enum sqlite_stmt {
#define STMT(name, sql) SQL_##name,
#include "store/store_sqlite.def"
#undef STMT
    SQL__COUNT
};

struct sqlite_store {
    char *path;

    /* The owner's thread. */
    sqlite3 *reader;
    sqlite3_stmt *get, *scan, *rows, *change, *recent;
    bool getting; /* inside a get's callback */
    bool scanning;
    int64_t changes; /* SQLite's number of the last change that was seen */

    /* The store's thread. */
    sqlite3 *writer;
    sqlite3_stmt *stmts[SQL__COUNT];
    int64_t row_delta; /* rows added less rows removed in this transaction */
    int wal_frames;    /* pages in the write-ahead log after the last commit */
    atomic_bool shed;  /* set by the owner: let go of the writer's cache */
};

/* store_sqlite.c: an error of SQLite as ours, naming the file and what may be done. */
int store__sqlite_err(struct err *e, const struct sqlite_store *q, sqlite3 *db, int rc,
                      const char *doing);

/* store_sqlite_write.c */
int store__sqlite_writer_open(struct sqlite_store *q, struct err *e) MUST_USE;
int store__sqlite_writer_prepare(struct sqlite_store *q, struct err *e) MUST_USE;
int store__sqlite_commit(void *self, struct list *writes, uint64_t *rows);
void store__sqlite_tidy(void *self, bool idle);
int store__sqlite_rows(struct sqlite_store *q, uint64_t *ret); /* a result code of SQLite */
