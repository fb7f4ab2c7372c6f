/*
 * What the store meets when it opens: files that are not its own, from the future, or damaged;
 * and other processes on the same file.
 */
#include "store/store_sqlite_int.h"
#include "unit/store/fixture.h"

#include <limits.h>
#include <sys/wait.h>

static void write_file(const char *path, const void *bytes, size_t n)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    MUST(fd >= 0 && write(fd, bytes, n) == (ssize_t)n);
    close(fd);
}

static void run_sql(const char *path, const char *sql)
{
    sqlite3 *db = NULL;

    MUST(sqlite3_open(path, &db) == SQLITE_OK);
    MUST(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK);
    sqlite3_close(db);
}

static void expect_refusal(struct owner *o, enum err_code code, const char *part)
{
    CHECK_INT(owner_open(o), -1);
    CHECK(!o->store);
    CHECK_INT(o->err.code, code);
    CHECK(strstr(o->err.msg, o->path));
    if (!strstr(o->err.msg, part))
        CHECK_STR(o->err.msg, part);
}

static void a_file_that_is_no_database(void)
{
    struct owner o;

    owner_settle(&o, "/tmp");
    write_file(o.path,
               "This is a shopping list, and quite a long one: 100 bytes at least, so that "
               "a header could be in it. Limes, mint, sugar.",
               119);
    expect_refusal(&o, ERR_CORRUPT, "is damaged (file is not a database); restore a copy, or");
    owner_release(&o);
}

static void an_empty_file_is_a_new_store(void)
{
    struct owner o;

    owner_settle(&o, "/tmp");
    write_file(o.path, "", 0);
    CHECK_INT(owner_open(&o), 0);
    CHECK_INT(put_now(&o, "a", 0, 1, "a").value, 1);
    owner_release(&o);
}

static void a_folder_that_is_missing(void)
{
    struct owner o;

    owner_settle(&o, "/tmp");
    free(o.path);
    o.path = xprintf("%s/none/maya.db", o.folder);
    expect_refusal(&o, ERR_STORE, "No such file or directory");
    owner_release(&o);
}

static void a_store_from_the_future(void)
{
    struct owner o;

    owner_init(&o);
    put_now(&o, "a", 0, 1, "a");
    store_close(&o.store);
    run_sql(o.path, "PRAGMA user_version = 2");
    expect_refusal(&o, ERR_NEWER, "(schema 2, known here 1); run that version");
    run_sql(o.path, "PRAGMA user_version = 1");
    CHECK_INT(owner_open(&o), 0);
    CHECK(get_now(&o, "a").found);
    owner_release(&o);
}

static void another_programs_database(void)
{
    struct owner o;

    owner_settle(&o, "/tmp");
    run_sql(o.path, "CREATE TABLE guests(name TEXT)");
    expect_refusal(&o, ERR_CONFIG, "is the database of another program");
    run_sql(o.path, "SELECT name FROM guests"); /* and it was left alone */
    owner_release(&o);
}

static void two_stores_of_one_file(struct owner *o, struct owner *second)
{
    owner_init(o);
    *second = *o;
    second->store = NULL;
    second->event = eventfd(0, EFD_CLOEXEC);
    MUST(owner_open(second) == 0);
}

static void what_one_container_writes_another_sees(void)
{
    struct owner a, b;
    struct answer got;

    two_stores_of_one_file(&a, &b);
    CHECK_INT(put_now(&a, "x", 0, 1, "from a").value, 1);
    CHECK_STR(get_now(&b, "x").text, "from a");
    CHECK_INT(put_now(&b, "x", 1, 2, "from b").value, 2);
    got = put_now(&a, "x", 1, 3, "a is late");
    CHECK_INT(got.code, ERR_CONFLICT);
    CHECK_INT(got.value, 2);
    CHECK_STR(get_now(&a, "x").text, "from b");
    put_now(&b, "y", 0, 1, "y");
    put_now(&a, "z", 0, 1, "z");
    CHECK_INT(stats_now(&a).rows, 3); /* counts what b wrote */
    store_close(&b.store);
    close(b.event);
    owner_release(&a);
}

#define PROCESSES 3
#define TURNS 60
#define STORE_WAITS_S 5 /* for a sibling that writes */

static int64_t now_s(void)
{
    struct timespec now;

    MUST(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return now.tv_sec;
}

/* Asked again only when the store has waited as long as it does: then a sibling stood still. */
static struct answer put_among_others(struct owner *o, const char *id, uint64_t replaces,
                                      const char *text)
{
    struct answer a;
    int64_t began;

    do {
        began = now_s();
        a = put_now(o, id, replaces, 1, text);
    } while (a.code == ERR_STORE && now_s() - began >= STORE_WAITS_S);
    return a;
}

/* Each adds to one shared row as often as it is told, and to one of its own. */
static _Noreturn void child(struct owner *o, int me)
{
    char id[16], text[32];
    uint64_t shared = 0;

    o->event = eventfd(0, EFD_CLOEXEC); /* the one it was born with is its siblings' too */
    MUST(o->event >= 0);
    for (int64_t began = now_s(); owner_open(o) < 0; began = now_s())
        MUST(now_s() - began >= STORE_WAITS_S);
    snprintf(id, sizeof(id), "own_%d", me);
    for (int done = 0; done < TURNS;) {
        struct answer a = put_among_others(o, "shared", shared, "x");
        MUST(a.code == ERR_NONE || a.code == ERR_CONFLICT);
        shared = a.value;
        if (a.code == ERR_CONFLICT)
            continue;
        snprintf(text, sizeof(text), "%d", done);
        a = put_among_others(o, id, (uint64_t)done, text);
        MUST(a.code == ERR_NONE);
        done++;
    }
    store_close(&o->store);
    _exit(0);
}

static void processes_share_a_file(void)
{
    struct owner o;
    char id[16];
    int status;

    owner_settle(&o, "/tmp"); /* no store yet: they also race to make it */
    fflush(stdout);
    for (int i = 0; i < PROCESSES; i++)
        if (fork() == 0)
            child(&o, i);
    for (int i = 0; i < PROCESSES; i++) {
        CHECK(wait(&status) > 0);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    CHECK_INT(owner_open(&o), 0);
    CHECK_INT(get_now(&o, "shared").version, PROCESSES * TURNS);
    CHECK_INT(store_rows(o.store), PROCESSES + 1);
    for (int i = 0; i < PROCESSES; i++) {
        snprintf(id, sizeof(id), "own_%d", i);
        CHECK_INT(get_now(&o, id).version, TURNS);
    }
    CHECK_INT(stats_now(&o).rows, PROCESSES + 1);
    owner_release(&o);
}

#define ROWS 120

static void fill(struct owner *o)
{
    static struct answer a[ROWS];
    char id[16], data[3000];

    for (int i = 0; i < ROWS; i++) {
        snprintf(id, sizeof(id), "sess_%d", i);
        memset(data, 'a' + i % 26, sizeof(data));
        a[i] = (struct answer){0};
        MUST(store_put(o->store, id, 0, i, data, i % 10 ? 3000 : 2900, on_answer, &a[i],
                       NULL) == 0);
    }
    owner_drain(o);
    CHECK_INT(a[ROWS - 1].code, ERR_NONE);
}

/* Rubbish over `pages` pages of the file, never the first, which has the header. */
static void damage(const char *path, unsigned *seed, int pages)
{
    unsigned char rubbish[4096];
    int fd = open(path, O_RDWR);
    off_t size = lseek(fd, 0, SEEK_END);

    for (size_t i = 0; i < sizeof(rubbish); i++)
        rubbish[i] = (unsigned char)rand_r(seed);
    for (int i = 0; i < pages; i++) {
        off_t page = 1 + rand_r(seed) % (size / 4096 - 1);
        size_t len = rand_r(seed) % 2 ? sizeof(rubbish) : 64;
        MUST(pwrite(fd, rubbish, len, page * 4096) == (ssize_t)len);
    }
    close(fd);
}

/* Reads and writes on a damaged file: each is answered, with its row or an error. */
static bool on_damaged_row(void *ctx, const char *id, const struct store_row *row)
{
    int *rows = ctx;
    const char *data = row->data;
    unsigned sum = 0;

    CHECK(id);
    for (size_t i = 0; i < row->len; i++)
        sum += (unsigned char)data[i]; /* that all of it is there */
    *rows += sum != UINT_MAX;
    return true;
}

/* What cannot be read is passed over, one place after the other. */
static void scan_damaged(struct owner *o)
{
    uint64_t cursor = 0, before;
    int rows = 0, places = 0;
    struct err e;

    do {
        before = cursor;
        if (store_scan(o->store, &cursor, 16, on_damaged_row, &rows, &e) == 0)
            continue;
        CHECK_INT(e.code, ERR_CORRUPT);
        CHECK(cursor > before);
        places++;
    } while (cursor && places < 2 * ROWS);
}

static void use_damaged(struct owner *o, int *good, int *bad)
{
    static struct answer a[ROWS];
    struct answer expired = {0};
    char id[16];

    scan_damaged(o);
    for (int i = 0; i < ROWS; i++) {
        struct seen s;
        snprintf(id, sizeof(id), "sess_%d", i);
        s = get_now(o, id);
        if (s.code != ERR_NONE) {
            CHECK_INT(s.code, ERR_CORRUPT);
            CHECK(strstr(s.msg, o->path));
        }
        *good += s.found;
        *bad += s.code != ERR_NONE;
        a[i] = (struct answer){0};
        MUST(store_put(o->store, id, 1, 2000, "new", 3, on_answer, &a[i], NULL) == 0);
    }
    MUST(store_expire(o->store, 30, 1000, on_answer, &expired, NULL) == 0);
    owner_drain(o);
    for (int i = 0; i < ROWS; i++)
        CHECK_INT(a[i].count, 1);
    CHECK_INT(expired.count, 1);
}

static void a_damaged_file_costs_its_rows_only(void)
{
    struct owner o;
    unsigned seed = 7;
    int good = 0, bad = 0, refused = 0;

    for (int round = 0; round < 25; round++) {
        owner_init(&o);
        fill(&o);
        store_close(&o.store);
        damage(o.path, &seed, 1 + round / 5);
        if (owner_open(&o) == 0) {
            use_damaged(&o, &good, &bad);
        } else {
            CHECK_INT(o.err.code, ERR_CORRUPT);
            refused++;
        }
        owner_release(&o);
    }
    printf("# %d rows read, %d reads refused, %d opens refused\n", good, bad, refused);
    CHECK(good > 10 * bad); /* 3 of 120 pages, and the index now and then */
    CHECK(bad > 0);
}

/* One write breaks a limit of SQLite's; the others of its transaction must not care. */
static void a_write_that_cannot_be_fails_alone(void)
{
    static char large[200000];
    struct owner o;
    struct answer a[3] = {{0}};

    owner_init(&o);
    const struct sqlite_store *q = o.store->self;
    sqlite3_limit(q->writer, SQLITE_LIMIT_LENGTH, 100000);
    MUST(store_put(o.store, "a", 0, 1, "a", 1, on_answer, &a[0], NULL) == 0);
    MUST(store_put(o.store, "large", 0, 1, large, sizeof(large), on_answer, &a[1], NULL) == 0);
    MUST(store_put(o.store, "b", 0, 1, "b", 1, on_answer, &a[2], NULL) == 0);
    owner_drain(&o);
    CHECK_INT(a[0].code, ERR_NONE);
    CHECK_INT(a[1].code, ERR_STORE);
    CHECK(strstr(a[1].msg, "too big"));
    CHECK_INT(a[2].code, ERR_NONE);
    CHECK(stats_now(&o).healthy);
    CHECK_INT(stats_now(&o).rows, 2);
    owner_release(&o);
}

static const struct tap_case cases[] = {
    {"a file that is no database", a_file_that_is_no_database},
    {"an empty file is a new store", an_empty_file_is_a_new_store},
    {"a folder that is missing", a_folder_that_is_missing},
    {"a store from the future", a_store_from_the_future},
    {"another program's database", another_programs_database},
    {"what one container writes another sees", what_one_container_writes_another_sees},
    {"processes share a file", processes_share_a_file},
    {"a damaged file costs its rows only", a_damaged_file_costs_its_rows_only},
    {"a write that cannot be fails alone", a_write_that_cannot_be_fails_alone},
};

TAP_MAIN(cases)
