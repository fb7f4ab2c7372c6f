/*
 * The index. The texts stay ours: the FTS5 table has no content of its own (content=''), a
 * rowid is the place of a passage.
 */
#include "base/alloc.h"
#include "knowledge/knowledge_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * counts(passage): how often each of the query's strings is in this row, into k->counts. Not as
 * a value of SQLite's, which would be one more allocation a row.
 */
static void counts(const Fts5ExtensionApi *api, Fts5Context *fts, sqlite3_context *ctx, int n,
                   sqlite3_value **args)
{
    static const unsigned weights[] = {2, 5, 1}; /* title, heading, text */
    struct knowledge *k = api->xUserData(fts);
    int count = api->xPhraseCount(fts), column, offset;
    Fts5PhraseIter iter;

    (void)n;
    (void)args;
    memset(k->counts, 0, sizeof(k->counts));
    for (int i = 0; i < count && i < QUERY_TERMS_MAX; i++) {
        unsigned sum = 0;
        int rc = api->xPhraseFirst(fts, i, &iter, &column, &offset);
        if (rc != SQLITE_OK) {
            sqlite3_result_error_code(ctx, rc);
            return;
        }
        for (; column >= 0 && sum < UINT8_MAX; api->xPhraseNext(fts, &iter, &column, &offset))
            sum += column < (int)ARRAY_LEN(weights) ? weights[column] : 0;
        k->counts[i] = (uint8_t)(sum < UINT8_MAX ? sum : UINT8_MAX);
    }
}

/* As https://sqlite.org/fts5.html#extending_fts5 says to. */
static fts5_api *api_of(sqlite3 *db)
{
    fts5_api *api = NULL;
    sqlite3_stmt *st = NULL;

    if (sqlite3_prepare_v2(db, "SELECT fts5(?1)", -1, &st, NULL) == SQLITE_OK &&
        sqlite3_bind_pointer(st, 1, (void *)&api, "fts5_api_ptr", NULL) == SQLITE_OK)
        sqlite3_step(st);
    sqlite3_finalize(st);
    return api;
}

/* Our function, and an instance of the tokenizer that the table has. */
static int extend(struct knowledge *k)
{
    static const char *args[] = {"unicode61", "remove_diacritics", "2"};
    fts5_api *api = api_of(k->db);
    void *user;

    if (!api)
        return SQLITE_ERROR;
    int rc = api->xCreateFunction(api, "counts", k, counts, NULL);
    if (rc == SQLITE_OK)
        rc = api->xFindTokenizer(api, "porter", &user, &k->tokenizer);
    if (rc == SQLITE_OK)
        rc = k->tokenizer.xCreate(user, args, ARRAY_LEN(args), &k->words);
    return rc;
}

static int bind_indexed(sqlite3_stmt *st, int at, struct str text, struct buf *room)
{
    buf_clear(room);
    knowledge__indexed(text, room);
    if (room->full)
        return SQLITE_NOMEM;
    return sqlite3_bind_text(st, at, buf_text(room), (int)room->len, SQLITE_TRANSIENT);
}

static int insert(struct knowledge *k, sqlite3_stmt *st, size_t i, struct buf *room)
{
    const struct passage *p = &k->passages[i];
    const char *texts = k->texts.data;
    /* What stands right under the title is about all of it. */
    const char *heading = texts + (texts[p->heading] ? p->heading : p->title);
    int rc = sqlite3_bind_int64(st, 1, (sqlite3_int64)i);

    if (rc == SQLITE_OK)
        rc = bind_indexed(st, 2, str_of(texts + p->title), room);
    if (rc == SQLITE_OK)
        rc = bind_indexed(st, 3, str_of(heading), room);
    if (rc == SQLITE_OK)
        rc = bind_indexed(st, 4, (struct str){texts + p->text, p->len}, room);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(st) == SQLITE_DONE ? SQLITE_OK : SQLITE_ERROR;
    int reset = sqlite3_reset(st);
    return reset != SQLITE_OK ? reset : rc;
}

static int fill(struct knowledge *k)
{
    sqlite3_stmt *st = NULL;
    struct buf room = BUF_INIT;
    int rc = sqlite3_prepare_v2(k->db,
                                "INSERT INTO passage(rowid, title, heading, text) "
                                "VALUES(?1, ?2, ?3, ?4)",
                                -1, &st, NULL);

    for (size_t i = 0; rc == SQLITE_OK && i < k->count; i++)
        rc = insert(k, st, i, &room);
    buf_release(&room);
    sqlite3_finalize(st);
    return rc;
}

/* In the order of their bytes, as the index has them. */
static int read_common(struct knowledge *k)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_exec(k->db, "CREATE VIRTUAL TABLE word USING fts5vocab(passage, row)",
                          NULL, NULL, NULL);

    if (rc == SQLITE_OK)
        rc = sqlite3_prepare_v2(k->db, "SELECT term, doc FROM word WHERE doc > ?1", -1, &st,
                                NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int(st, 1, COMMON_ROWS);
    while (rc == SQLITE_OK && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        const char *term = (const char *)sqlite3_column_text(st, 0);
        if (!term)
            rc = SQLITE_NOMEM;
        if (rc != SQLITE_ROW)
            break;
        if ((k->common_count & (k->common_count - 1)) == 0)
            k->common = xrealloc(k->common, (k->common_count ? k->common_count * 2 : 1) *
                                                sizeof(*k->common));
        k->common[k->common_count++] = (struct common){knowledge__keep(k, str_of(term)),
                                                       (uint32_t)sqlite3_column_int64(st, 1)};
        rc = SQLITE_OK;
    }
    sqlite3_finalize(st);
    if (rc == SQLITE_DONE)
        rc = sqlite3_exec(k->db, "DROP TABLE word", NULL, NULL, NULL);
    return rc;
}

struct costing {
    const struct knowledge *k;
    int64_t rows;
};

/* A word of the term, as the index has it. */
static int on_word(void *ctx, int flags, const char *word, int len, int start, int end)
{
    struct costing *c = ctx;
    size_t from = 0, to = c->k->common_count;
    struct str w = {word, (size_t)len};

    (void)flags;
    (void)start;
    (void)end;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        const char *text = c->k->texts.data + c->k->common[middle].text;
        size_t n = strlen(text);
        int order = memcmp(w.data, text, w.len < n ? w.len : n);
        if (order == 0)
            order = w.len < n ? -1 : w.len > n;
        if (order == 0) {
            c->rows += c->k->common[middle].rows;
            return SQLITE_OK;
        }
        if (order < 0)
            to = middle;
        else
            from = middle + 1;
    }
    c->rows += COMMON_ROWS;
    return SQLITE_OK;
}

int64_t knowledge__cost(const struct knowledge *k, const struct query_term *t)
{
    struct costing c = {.k = k};
    int rc =
        k->tokenizer.xTokenize(k->words, &c, FTS5_TOKENIZE_QUERY, t->text, t->len, on_word);

    return rc == SQLITE_OK ? c.rows : -1;
}

int knowledge__index(struct knowledge *k)
{
    int rc = sqlite3_open_v2(":memory:", &k->db,
                             SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_MEMORY |
                                 SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE,
                             NULL);

    if (rc == SQLITE_OK)
        rc = sqlite3_exec(
            k->db,
            "PRAGMA journal_mode = OFF;"
            "CREATE VIRTUAL TABLE passage USING fts5(title, heading, text,"
            " content='', columnsize=0, tokenize='porter unicode61 remove_diacritics 2');"
            "BEGIN",
            NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = fill(k);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(k->db, "COMMIT; INSERT INTO passage(passage) VALUES('optimize')",
                          NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = extend(k);
    if (rc == SQLITE_OK)
        rc = read_common(k);
    if (rc == SQLITE_OK)
        rc = sqlite3_prepare_v3(k->db,
                                "SELECT rowid, counts(passage) FROM passage "
                                "WHERE passage MATCH ?1",
                                -1, SQLITE_PREPARE_PERSISTENT, &k->find, NULL);
    if (rc == SQLITE_OK)
        return 0;
    snprintf(k->problem, sizeof(k->problem), "%s",
             k->db ? sqlite3_errmsg(k->db) : sqlite3_errstr(rc));
    return -1;
}

void knowledge__index_close(struct knowledge *k)
{
    if (k->words)
        k->tokenizer.xDelete(k->words);
    k->words = NULL;
    free(k->common);
    k->common = NULL;
    k->common_count = 0;
    sqlite3_finalize(k->find);
    sqlite3_close(k->db);
    k->find = NULL;
    k->db = NULL;
}
