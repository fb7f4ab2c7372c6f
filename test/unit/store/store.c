#include "store/store.h"

#include "unit/store/fixture.h"

static void a_row_comes_back(void)
{
    struct owner o;
    struct seen s;

    owner_init(&o);
    s = get_now(&o, "sess_1");
    CHECK(!s.found);
    CHECK_INT(s.code, ERR_NONE);

    struct answer a = put_now(&o, "sess_1", 0, 1000, "one");
    CHECK_INT(a.code, ERR_NONE);
    CHECK_INT(a.value, 1);
    a = put_now(&o, "sess_1", 1, 1001, "two, longer");
    CHECK_INT(a.value, 2);
    s = get_now(&o, "sess_1");
    CHECK(s.found);
    CHECK_INT(s.version, 2);
    CHECK_INT(s.used_at_s, 1001);
    CHECK_STR(s.text, "two, longer");

    a = put_now(&o, "empty", 0, 5, "");
    s = get_now(&o, "empty");
    CHECK(s.found);
    CHECK_INT(s.len, 0);
    owner_release(&o);
}

static void a_stale_put_is_a_conflict(void)
{
    struct owner o;
    struct answer a;

    owner_init(&o);
    a = put_now(&o, "x", 1, 1, "no row to replace");
    CHECK_INT(a.code, ERR_CONFLICT);
    CHECK_INT(a.value, 0);
    put_now(&o, "x", 0, 1, "first");
    put_now(&o, "x", 1, 1, "second");
    a = put_now(&o, "x", 0, 1, "there is one");
    CHECK_INT(a.code, ERR_CONFLICT);
    CHECK_INT(a.value, 2);
    a = put_now(&o, "x", 1, 1, "stale");
    CHECK_INT(a.code, ERR_CONFLICT);
    CHECK_STR(a.msg, "the put replaces version 1, the store has 2");
    a = put_now(&o, "x", 3, 1, "from the future");
    CHECK_INT(a.code, ERR_CONFLICT);
    CHECK_STR(get_now(&o, "x").text, "second");
    CHECK_INT(stats_now(&o).conflicts, 4);
    CHECK_INT(stats_now(&o).failures, 0);
    CHECK(stats_now(&o).healthy);
    owner_release(&o);
}

/* One transaction, and the bad one in it harms no other. */
static void a_conflict_does_not_touch_its_neighbours(void)
{
    struct owner o;
    struct answer a[30] = {{0}};
    char id[16];

    owner_init(&o);
    put_now(&o, "s7", 0, 1, "was here");
    for (int i = 0; i < 30; i++) {
        snprintf(id, sizeof(id), "s%d", i);
        MUST(store_put(o.store, id, 0, 1, id, strlen(id), on_answer, &a[i], NULL) == 0);
    }
    owner_drain(&o);
    for (int i = 0; i < 30; i++) {
        CHECK_INT(a[i].count, 1);
        CHECK_INT(a[i].code, i == 7 ? ERR_CONFLICT : ERR_NONE);
    }
    CHECK_STR(get_now(&o, "s7").text, "was here");
    CHECK_STR(get_now(&o, "s29").text, "s29");
    CHECK_INT(stats_now(&o).rows, 30);
    owner_release(&o);
}

static unsigned largest_commit, commits;
static uint64_t writes_committed;

static void on_commit(void *ctx, uint64_t us, unsigned writes)
{
    (void)ctx;
    (void)us;
    commits++;
    writes_committed += writes;
    if (writes > largest_commit)
        largest_commit = writes;
}

/* Chains of versions over many ids, all asked at once: order holds, and commits are shared. */
static void many_writes_share_commits_and_keep_order(void)
{
    enum { IDS = 40, EACH = 50 };
    static struct answer a[IDS][EACH];
    struct owner o;
    char id[16], data[2048];
    struct store_cfg cfg = {.wake = on_wake, .wake_ctx = &o, .on_commit = on_commit};

    owner_init(&o);
    store_close(&o.store);
    cfg.path = o.path;
    MUST(store_open_sqlite(&cfg, &o.store, &o.err) == 0);
    memset(data, 'x', sizeof(data));
    for (int v = 0; v < EACH; v++) {
        for (int i = 0; i < IDS; i++) {
            snprintf(id, sizeof(id), "sess_%d", i);
            snprintf(data, 32, "%d.%d", i, v);
            MUST(store_put(o.store, id, (uint64_t)v, v, data, sizeof(data), on_answer, &a[i][v],
                           NULL) == 0);
        }
    }
    CHECK_INT(a[0][0].count, 0); /* never inside the call that asked */
    CHECK_INT(stats_now(&o).queued, IDS * EACH);
    owner_drain(&o);
    for (int i = 0; i < IDS; i++) {
        for (int v = 0; v < EACH; v++) {
            CHECK_INT(a[i][v].count, 1);
            CHECK_INT(a[i][v].value, v + 1);
            CHECK(v == 0 || a[i][v].order > a[i][v - 1].order);
        }
    }
    CHECK_STR(get_now(&o, "sess_39").text, "39.49");
    CHECK_INT(writes_committed, IDS * EACH);
    CHECK_INT(stats_now(&o).commits, commits);
    CHECK(largest_commit > 1 && largest_commit <= 512);
    CHECK_INT(stats_now(&o).bytes_written, IDS * EACH * sizeof(data));
    CHECK_INT(stats_now(&o).rows, IDS);
    owner_release(&o);
}

/* Large rows share no transaction beyond some 16 MiB, so that no one waits for all of them. */
static void a_commit_is_bounded_in_bytes(void)
{
    enum { ROWS = 24, SIZE = 1500000 };
    static char data[SIZE];
    struct answer a[ROWS] = {{0}};
    struct owner o;
    char id[16];
    struct store_cfg cfg = {.wake = on_wake, .wake_ctx = &o, .on_commit = on_commit};

    owner_init(&o);
    store_close(&o.store);
    cfg.path = o.path;
    MUST(store_open_sqlite(&cfg, &o.store, &o.err) == 0);
    commits = largest_commit = 0;
    for (int i = 0; i < ROWS; i++) {
        snprintf(id, sizeof(id), "s%d", i);
        MUST(store_put(o.store, id, 0, 1, data, SIZE, on_answer, &a[i], NULL) == 0);
    }
    owner_drain(&o);
    CHECK(largest_commit <= ((16 << 20) + SIZE - 1) / SIZE);
    CHECK(commits >= 2);
    CHECK_INT(get_now(&o, "s23").len, SIZE);
    owner_release(&o);
}

static void deleting_counts_what_was_there(void)
{
    struct owner o;
    struct answer a[3] = {{0}};

    owner_init(&o);
    put_now(&o, "x", 0, 1, "x");
    put_now(&o, "y", 0, 1, "y");
    MUST(store_delete(o.store, "x", 0, on_answer, &a[0], NULL) == 0);
    MUST(store_delete(o.store, "x", 0, on_answer, &a[1], NULL) == 0);
    MUST(store_delete(o.store, "never", 0, on_answer, &a[2], NULL) == 0);
    owner_drain(&o);
    for (int i = 0; i < 3; i++)
        CHECK(a[i].count == 1 && a[i].code == ERR_NONE);
    CHECK(!get_now(&o, "x").found);
    CHECK_INT(stats_now(&o).rows, 1);
    CHECK_INT(put_now(&o, "x", 0, 1, "again").value, 1);
    owner_release(&o);
}

static void only_that_version_is_deleted(void)
{
    struct owner o;
    struct answer a[2] = {{0}};

    owner_init(&o);
    put_now(&o, "x", 0, 1, "one");
    put_now(&o, "x", 1, 2, "two");
    MUST(store_delete(o.store, "x", 1, on_answer, &a[0], NULL) == 0);
    owner_drain(&o);
    CHECK_INT(a[0].code, ERR_NONE);
    CHECK_STR(get_now(&o, "x").text, "two");
    CHECK_INT(store_rows(o.store), 1);
    MUST(store_delete(o.store, "x", 2, on_answer, &a[1], NULL) == 0);
    owner_drain(&o);
    CHECK(!get_now(&o, "x").found);
    CHECK_INT(store_rows(o.store), 0);
    owner_release(&o);
}

static void what_is_known_comes_without_bytes(void)
{
    struct owner o;
    struct seen s[3] = {{0}};

    owner_init(&o);
    put_now(&o, "x", 0, 5, "one");
    store_get_newer(o.store, "x", 1, on_row, &s[0]);
    store_get_newer(o.store, "x", 2, on_row, &s[1]);
    store_get_newer(o.store, "y", 1, on_row, &s[2]);
    CHECK(s[0].found && s[0].len == 0 && s[0].version == 1 && s[0].used_at_s == 5);
    CHECK(s[1].found && s[1].len == 3 && s[1].version == 1);
    CHECK(s[2].count == 1 && !s[2].found && s[2].code == ERR_NONE);
    owner_release(&o);
}

static void the_oldest_expire_first(void)
{
    struct owner o;
    struct answer a[3] = {{0}};
    char id[16];

    owner_init(&o);
    for (int i = 0; i < 20; i++) {
        snprintf(id, sizeof(id), "s%d", i);
        put_now(&o, id, 0, 100 + (i * 7) % 20, "x");
    }
    put_now(&o, "s0", 1, 500, "used again"); /* was the oldest */
    MUST(store_expire(o.store, 110, 4, on_answer, &a[0], NULL) == 0);
    MUST(store_expire(o.store, 110, 100, on_answer, &a[1], NULL) == 0);
    MUST(store_expire(o.store, 110, 100, on_answer, &a[2], NULL) == 0);
    owner_wait(&o, &a[2]);
    CHECK_INT(a[0].value, 4);
    CHECK_INT(a[1].value, 5); /* 101 .. 109 are nine */
    CHECK_INT(a[2].value, 0);
    CHECK_INT(stats_now(&o).expired, 9);
    CHECK_INT(stats_now(&o).rows, 11);
    CHECK(get_now(&o, "s0").found);
    CHECK(!get_now(&o, "s3").found); /* used at 101 */
    owner_release(&o);
}

static void rows_and_count_outlive_the_process(void)
{
    struct owner o;
    struct answer late = {0};
    struct stat st;
    char *wal;

    owner_init(&o);
    wal = xprintf("%s-wal", o.path);
    put_now(&o, "a", 0, 1, "a");
    CHECK(stat(o.path, &st) == 0 && (st.st_mode & 07777) == 0600);
    CHECK(stat(wal, &st) == 0 && (st.st_mode & 07777) == 0600);
    MUST(store_put(o.store, "b", 0, 2, "b", 1, on_answer, &late, NULL) == 0);
    store_close(&o.store); /* carries out what is queued and answers it */
    CHECK_INT(late.count, 1);
    CHECK_INT(late.code, ERR_NONE);
    CHECK(!o.store);
    MUST(owner_open(&o) == 0);
    CHECK_INT(stats_now(&o).rows, 2);
    CHECK_STR(get_now(&o, "b").text, "b");
    free(wal);
    owner_release(&o);
}

static void an_owner_who_comes_late_loses_nothing(void)
{
    struct owner o;
    struct answer first = {0}, rest[100] = {{0}};
    char id[16];

    owner_init(&o);
    put_now(&o, "warm", 0, 1, "x");
    o.wakes = 0;
    MUST(store_put(o.store, "first", 0, 1, "x", 1, on_answer, &first, NULL) == 0);
    for (int i = 0; i < 100; i++) {
        snprintf(id, sizeof(id), "s%d", i);
        MUST(store_put(o.store, id, 0, 1, "x", 1, on_answer, &rest[i], NULL) == 0);
    }
    while (!get_now(&o, "s99").found)
        ; /* committed; nobody has reaped yet */
    CHECK(__atomic_load_n(&o.wakes, __ATOMIC_RELAXED) <= 1);
    CHECK_INT(first.count, 0);
    owner_drain(&o);
    CHECK_INT(first.count, 1);
    for (int i = 0; i < 100; i++)
        CHECK_INT(rest[i].count, 1);
    owner_release(&o);
}

/* A call back may use the store: put, get (while a row is shown) and reap again. */
struct nest {
    struct owner *o;
    struct seen inner;
    struct answer put;
    int rows;
};

static void on_outer_row(void *ctx, const struct store_row *row, const struct err *e)
{
    struct nest *n = ctx;

    CHECK(row && !e);
    n->inner = get_now(n->o, "b");
    CHECK(row->len == 5 && memcmp(row->data, "outer", 5) == 0);
    MUST(store_put(n->o->store, "c", 0, 1, "c", 1, on_answer, &n->put, NULL) == 0);
    n->rows++;
}

static void on_put_then_reap(void *ctx, uint64_t version, const struct err *e)
{
    struct nest *n = ctx;

    CHECK(version == 1 && !e);
    store_reap(n->o->store);
    n->rows += 10;
}

static void callbacks_may_call(void)
{
    struct owner o;
    struct nest n = {.o = &o};
    struct answer a = {0};

    owner_init(&o);
    put_now(&o, "a", 0, 1, "outer");
    put_now(&o, "b", 0, 1, "inner");
    store_get(o.store, "a", on_outer_row, &n);
    CHECK_INT(n.rows, 1);
    CHECK_STR(n.inner.text, "inner");
    owner_wait(&o, &n.put);
    MUST(store_put(o.store, "d", 0, 1, "d", 1, on_put_then_reap, &n, NULL) == 0);
    MUST(store_put(o.store, "e", 0, 1, "e", 1, on_answer, &a, NULL) == 0);
    owner_drain(&o);
    CHECK_INT(n.rows, 11);
    CHECK_INT(a.count, 1);
    owner_release(&o);
}

static struct answer replace_now(struct owner *o, const char *id, uint64_t version,
                                 int64_t used_at_s, const char *text)
{
    struct answer a = {0};

    MUST(store_replace(o->store, id, version, used_at_s, text, strlen(text), on_answer, &a,
                       NULL) == 0);
    owner_wait(o, &a);
    CHECK_INT(a.code, ERR_NONE);
    return a;
}

static void replacing_keeps_version_and_time(void)
{
    struct owner o;
    struct seen s;

    owner_init(&o);
    put_now(&o, "a", 0, 7, "one");
    put_now(&o, "a", 1, 8, "two");
    CHECK_INT(replace_now(&o, "a", 2, 8, "TWO").value, 2);
    s = get_now(&o, "a");
    CHECK_STR(s.text, "TWO");
    CHECK_INT(s.version, 2);
    CHECK_INT(s.used_at_s, 8);
    CHECK_INT(put_now(&o, "a", 2, 9, "three").value, 3); /* who holds version 2 goes on */
    CHECK_INT(stats_now(&o).replaces, 1);
    CHECK_INT(stats_now(&o).rows, 1);
    owner_release(&o);
}

static void who_writes_newer_wins_over_a_replacement(void)
{
    struct owner o;
    struct answer put = {0}, late = {0};

    owner_init(&o);
    put_now(&o, "a", 0, 7, "one");
    MUST(store_put(o.store, "a", 1, 8, "two", 3, on_answer, &put, NULL) == 0);
    MUST(store_replace(o.store, "a", 1, 7, "ONE", 3, on_answer, &late, NULL) == 0);
    owner_drain(&o);
    CHECK_INT(put.value, 2);
    CHECK_INT(late.code, ERR_NONE);
    CHECK_INT(late.value, 0);
    CHECK_STR(get_now(&o, "a").text, "two");
    /* Ended and begun anew: the same version is another session. */
    MUST(store_delete(o.store, "a", 0, NULL, NULL, NULL) == 0);
    put_now(&o, "a", 0, 9, "anew");
    CHECK_INT(replace_now(&o, "a", 1, 7, "ONE").value, 0);
    CHECK_STR(get_now(&o, "a").text, "anew");
    CHECK_INT(replace_now(&o, "nobody", 1, 7, "x").value, 0);
    CHECK(!get_now(&o, "nobody").found);
    CHECK_INT(stats_now(&o).conflicts, 0);
    CHECK_INT(stats_now(&o).rows, 1);
    owner_release(&o);
}

static void a_put_after_a_replacement_is_no_conflict(void)
{
    struct owner o;
    struct answer replaced = {0}, put = {0};

    owner_init(&o);
    put_now(&o, "a", 0, 7, "one");
    MUST(store_replace(o.store, "a", 1, 7, "ONE", 3, on_answer, &replaced, NULL) == 0);
    MUST(store_put(o.store, "a", 1, 8, "two", 3, on_answer, &put, NULL) == 0);
    owner_drain(&o);
    CHECK_INT(replaced.value, 1);
    CHECK_INT(put.value, 2);
    CHECK_STR(get_now(&o, "a").text, "two");
    owner_release(&o);
}

struct scan {
    struct owner *o;
    unsigned rows, stop_after;
    unsigned seen[1000];
    struct answer last;
};

static bool on_scanned(void *ctx, const char *id, const struct store_row *row)
{
    struct scan *s = ctx;
    int n = (int)strtol(id + 1, NULL, 10);

    CHECK(n >= 0 && n < 1000 && row->len == strlen(id) && memcmp(row->data, id, row->len) == 0);
    CHECK_INT(row->version, 1);
    CHECK_INT(row->used_at_s, n);
    s->seen[n]++;
    s->rows++;
    MUST(store_replace(s->o->store, id, row->version, row->used_at_s, row->data, row->len,
                       on_answer, &s->last, NULL) == 0);
    CHECK_INT(get_now(s->o, id).len, row->len); /* others read meanwhile */
    return s->rows != s->stop_after;
}

static void a_scan_sees_every_row_once(void)
{
    struct owner o;
    struct scan s = {.o = &o};
    char id[16];
    uint64_t cursor = 0;
    unsigned calls = 0;
    struct err e;

    owner_init(&o);
    CHECK_INT(store_scan(o.store, &cursor, 10, on_scanned, &s, &e), 0);
    CHECK_INT(cursor, 0);
    CHECK_INT(s.rows, 0);
    for (int i = 0; i < 1000; i++) {
        snprintf(id, sizeof(id), "s%d", i);
        MUST(store_put(o.store, id, 0, i, id, strlen(id), NULL, NULL, NULL) == 0);
    }
    owner_drain(&o);
    MUST(store_delete(o.store, "s500", 0, NULL, NULL, NULL) == 0);
    owner_drain(&o);
    s.stop_after = 5;
    do {
        unsigned before = s.rows;
        CHECK_INT(store_scan(o.store, &cursor, 64, on_scanned, &s, &e), 0);
        CHECK(s.rows - before <= (calls == 0 ? 5 : 64));
        owner_drain(&o);
        calls++;
    } while (cursor && calls < 100);
    CHECK_INT(calls, 1 + 994 / 64 + 1);
    for (int i = 0; i < 1000; i++)
        CHECK_INT(s.seen[i], i != 500);
    owner_release(&o);
}

static const struct tap_case cases[] = {
    {"a row comes back", a_row_comes_back},
    {"a stale put is a conflict", a_stale_put_is_a_conflict},
    {"a conflict does not touch its neighbours", a_conflict_does_not_touch_its_neighbours},
    {"many writes share commits and keep order", many_writes_share_commits_and_keep_order},
    {"a commit is bounded in bytes", a_commit_is_bounded_in_bytes},
    {"deleting counts what was there", deleting_counts_what_was_there},
    {"only that version is deleted", only_that_version_is_deleted},
    {"what is known comes without its bytes", what_is_known_comes_without_bytes},
    {"the oldest expire first", the_oldest_expire_first},
    {"rows and count outlive the process", rows_and_count_outlive_the_process},
    {"an owner who comes late loses nothing", an_owner_who_comes_late_loses_nothing},
    {"callbacks may call", callbacks_may_call},
    {"replacing keeps version and time", replacing_keeps_version_and_time},
    {"who writes newer wins over a replacement", who_writes_newer_wins_over_a_replacement},
    {"a put after a replacement is no conflict", a_put_after_a_replacement_is_no_conflict},
    {"a scan sees every row once", a_scan_sees_every_row_once},
};

TAP_MAIN(cases)
