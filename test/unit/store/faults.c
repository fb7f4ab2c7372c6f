/*
 * The store on a disk that fails. Whatever fails and whenever it does: what was acknowledged
 * is there, nothing else than what was put is there, and the store goes on when the disk does.
 */
#define CHECKPOINT_IDLE_FRAMES 8 /* many checkpoints in a short test */
#define CHECKPOINT_FRAMES 24
#define TRIAL_ROOM trial_room

#include <stdint.h>

static uint64_t trial_room;

#include "store/store_sqlite_write.c"

#include "unit/store/disk.h"
#include "unit/store/fixture.h"

#define IDS 6
#define ROUNDS 8

struct model {
    uint64_t acked; /* the row has at least this version */
    uint64_t tried; /* and at most this one */
    struct answer answer;
};

static struct owner o;
static struct model model[IDS];

/* Text that names id and version, of a length that takes overflow pages now and then. */
static size_t make_data(char *to, size_t size, int id, uint64_t version)
{
    size_t len = 40 + (size_t)(id * 977 + version * 1361) % 9000;

    MUST(len < size);
    memset(to, 'a' + (int)((uint64_t)id + version) % 26, len);
    snprintf(to, 40, "%d.%llu", id, (unsigned long long)version);
    return len;
}

static void check_row(void *ctx, const struct store_row *row, const struct err *e)
{
    const struct model *m = ctx;
    static char want[10000];
    int id = (int)(m - model);

    if (e) {
        printf("# row %d: %s\n", id, e->msg);
        CHECK(!e);
        return;
    }
    uint64_t version = row ? row->version : 0;
    if (version < m->acked || version > m->tried)
        printf("# row %d has version %llu, acknowledged %llu, tried %llu\n", id,
               (unsigned long long)version, (unsigned long long)m->acked,
               (unsigned long long)m->tried);
    CHECK(version >= m->acked && version <= m->tried);
    if (!row)
        return;
    CHECK_INT(row->len, make_data(want, sizeof(want), id, version));
    CHECK(row->len < sizeof(want) && memcmp(row->data, want, row->len) == 0);
}

static void take_version(void *ctx, const struct store_row *row, const struct err *e)
{
    uint64_t *version = ctx;

    if (!e)
        *version = row ? row->version : 0;
}

static void put_all(void)
{
    static char data[10000];
    char id[16];

    for (int i = 0; i < IDS; i++) {
        struct model *m = &model[i];
        uint64_t version = m->acked;
        snprintf(id, sizeof(id), "sess_%d", i);
        if (m->acked != m->tried) /* as one would after a failure: look what is there */
            store_get(o.store, id, take_version, &version);
        size_t len = make_data(data, sizeof(data), i, version + 1);
        if (m->tried < version + 1)
            m->tried = version + 1;
        m->answer = (struct answer){0};
        MUST(store_put(o.store, id, version, 1000 + (int64_t)version, data, len, on_answer,
                       &m->answer, NULL) == 0);
        /* The same again in its place, as after a change of the key: it harms nothing. */
        MUST(store_replace(o.store, id, version + 1, 1000 + (int64_t)version, data, len, NULL,
                           NULL, NULL) == 0);
    }
    for (int i = 0; i < IDS; i++) {
        struct model *m = &model[i];
        owner_wait(&o, &m->answer);
        if (m->answer.code == ERR_NONE)
            m->acked = m->answer.value;
        else if (m->answer.code != ERR_STORE && m->answer.code != ERR_CONFLICT)
            CHECK_STR(m->answer.msg, "a store error");
    }
    owner_drain(&o); /* what replaced the last row may be in a transaction of its own */
}

static void check_all(void)
{
    char id[16];
    int present = 0;

    for (int i = 0; i < IDS; i++) {
        struct seen s;
        snprintf(id, sizeof(id), "sess_%d", i);
        store_get(o.store, id, check_row, &model[i]);
        s = get_now(&o, id);
        present += s.found;
    }
    CHECK_INT(stats_now(&o).rows, present);
}

static void must_open(void)
{
    if (owner_open(&o) < 0)
        printf("# open: %s\n", o.err.msg);
    CHECK(o.store);
}

static void begin(long fail_at, int error, long dead_from)
{
    memset(model, 0, sizeof(model));
    disk_plan(0, 0, 0);
    owner_settle(&o, access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    disk_plan(fail_at, error, dead_from);
}

static long operations(void)
{
    long n;

    begin(0, 0, 0);
    must_open();
    for (int i = 0; i < ROUNDS; i++)
        put_all();
    check_all();
    n = disk_count();
    owner_release(&o);
    disk_forget();
    return n;
}

/* One operation fails, all others work: the store must come back by itself. */
static void fail_once(long at, int error)
{
    struct store_stats st;

    begin(at, error, 0);
    if (owner_open(&o) < 0) {
        CHECK(o.err.code == ERR_STORE && strstr(o.err.msg, o.path));
        must_open();
    }
    for (int i = 0; i < ROUNDS; i++)
        put_all();
    check_all();
    for (st = stats_now(&o); !st.healthy; st = stats_now(&o))
        owner_turn(&o);            /* it was the last commit that failed */
    CHECK(st.failures <= 2 * IDS); /* one transaction at most */
    store_close(&o.store);
    must_open();
    check_all();
    owner_release(&o);
    disk_forget();
}

static void one_failure(int error)
{
    long n = operations();

    for (long at = 1; at <= n && !tap_failures; at += 3) {
        fail_once(at, error);
        if (tap_failures)
            printf("# when operation %ld of %ld failed with %d\n", at, n, error);
    }
}

static void one_write_error(void)
{
    one_failure(SQLITE_IOERR_WRITE);
}

static void one_full_disk(void)
{
    one_failure(SQLITE_FULL);
}

static long cuts; /* for who reads the output */

static void power_cut(long fail_at, long at, unsigned seed)
{
    cuts++;
    begin(fail_at, SQLITE_IOERR_FSYNC, at);
    if (owner_open(&o) == 0 || (disk_count() < at && owner_open(&o) == 0)) {
        for (int i = 0; i < ROUNDS && disk_count() < at; i++)
            put_all();
        store_close(&o.store);
    }
    disk_plan(0, 0, 0);
    disk_cut_power(seed);
    char *shm = xprintf("%s-shm", o.path);
    unlink(shm);
    free(shm);
    must_open();
    if (o.store) {
        check_all();
        put_all(); /* and life goes on */
        for (int i = 0; i < IDS; i++)
            CHECK_INT(model[i].answer.code, ERR_NONE);
        check_all();
    }
    owner_release(&o);
    disk_forget();
}

static void the_power_goes(void)
{
    long n = operations();

    for (long at = 1; at <= n && !tap_failures; at++) {
        power_cut(0, at, (unsigned)at * 2654435761u);
        if (tap_failures)
            printf("# when the power went at operation %ld of %ld\n", at, n);
    }
}

/* A sync that failed must not be taken for done by a later one that works. */
static void the_power_goes_after_a_failure(void)
{
    long n = operations();
    unsigned seed = 20240223;

    for (int round = 0; round < 300 && !tap_failures; round++) {
        seed = seed * 1664525u + 1013904223u;
        long fail_at = 1 + (long)(seed >> 4) % n;
        long at = fail_at + 1 + (long)(seed >> 12) % 60;
        power_cut(fail_at, at, seed);
        if (tap_failures)
            printf("# when operation %ld failed and the power went at %ld of %ld\n", fail_at,
                   at, n);
    }
}

/* A disk that stays bad makes the store unhealthy; when it is good again, so is the store. */
static void health_comes_back_without_a_writer(void)
{
    struct store_stats st;

    begin(0, 0, 0);
    must_open();
    put_all();
    disk_plan(0, SQLITE_FULL, 1);
    put_all();
    CHECK_INT(model[0].answer.code, ERR_STORE);
    CHECK(strstr(model[0].answer.msg, "the disk is full"));
    CHECK(strstr(model[0].answer.msg, o.path));
    st = stats_now(&o);
    CHECK(!st.healthy);
    CHECK_INT(st.failures, 2 * IDS);
    put_all();
    CHECK(!stats_now(&o).healthy);
    disk_plan(0, 0, 0);
    while (!stats_now(&o).healthy)
        owner_turn(&o); /* nobody writes */
    put_all();
    CHECK_INT(model[0].answer.code, ERR_NONE);
    check_all();
    owner_release(&o);
    disk_forget();
}

/* One page fits on many a full disk; health that believed it would come and go. */
static void a_trial_needs_room(void)
{
    struct list none;
    uint64_t rows = 7;

    begin(0, 0, 0);
    must_open();
    struct sqlite_store q = {.path = o.path};
    list_init(&none);
    CHECK(has_room(&q));
    trial_room = UINT64_MAX;
    CHECK_INT(store__sqlite_commit(&q, &none, &rows), -1);
    CHECK_INT(rows, 7);
    trial_room = 0;
    owner_release(&o);
    disk_forget();
}

static const struct tap_case cases[] = {
    {"any one write error is survived", one_write_error},
    {"any one full disk is survived", one_full_disk},
    {"a power cut at any moment loses nothing acknowledged", the_power_goes},
    {"nor a power cut after a failure", the_power_goes_after_a_failure},
    {"health comes back without a writer", health_comes_back_without_a_writer},
    {"a trial needs room", a_trial_needs_room},
};

int main(void)
{
    disk_install();
    int rc = tap_run(cases, (int)ARRAY_LEN(cases));
    printf("# %ld power cuts\n", cuts);
    return rc;
}
