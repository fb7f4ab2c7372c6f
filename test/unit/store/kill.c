/*
 * A process that is killed while it writes: what it was told is durable must be there, and the
 * database must be whole. The child puts as fast as it can and tells every acknowledged version
 * through a pipe; the parent kills it at a random moment and compares.
 */
#include "unit/store/fixture.h"

#include <signal.h>
#include <sqlite3.h>
#include <sys/wait.h>

#define IDS 16
#define ROUNDS 20

struct told {
    uint32_t id;
    uint32_t version;
};

struct chain {
    struct owner *o;
    uint32_t id;
    uint64_t version;
    int pipe;
};

static size_t make_data(char *to, size_t size, uint32_t id, uint64_t version)
{
    size_t len = 40 + (id * 131 + version * 977) % 3000;

    MUST(len < size);
    memset(to, 'a' + (int)((id + version) % 26), len);
    snprintf(to, 40, "%u.%llu", id, (unsigned long long)version);
    return len;
}

static void put_next(struct chain *c);

static void on_put(void *ctx, uint64_t version, const struct err *e)
{
    struct chain *c = ctx;
    struct told t = {c->id, (uint32_t)version};

    MUST(!e && version == c->version + 1);
    MUST(write(c->pipe, &t, sizeof(t)) == (ssize_t)sizeof(t));
    c->version = version;
    put_next(c);
}

static void put_next(struct chain *c)
{
    char data[4096], id[16];
    size_t len = make_data(data, sizeof(data), c->id, c->version + 1);

    snprintf(id, sizeof(id), "sess_%u", c->id);
    MUST(store_put(c->o->store, id, c->version, (int64_t)c->version, data, len, on_put, c,
                   NULL) == 0);
    MUST(store_replace(c->o->store, id, c->version + 1, (int64_t)c->version, data, len, NULL,
                       NULL, NULL) == 0);
}

static void take_version(void *ctx, const struct store_row *row, const struct err *e)
{
    uint64_t *version = ctx;

    MUST(!e);
    *version = row ? row->version : 0;
}

static _Noreturn void child(struct owner *o, int to)
{
    struct chain chains[IDS];
    char id[16];

    MUST(owner_open(o) == 0);
    for (uint32_t i = 0; i < IDS; i++) {
        chains[i] = (struct chain){.o = o, .id = i, .pipe = to};
        snprintf(id, sizeof(id), "sess_%u", i);
        store_get(o->store, id, take_version, &chains[i].version);
        put_next(&chains[i]);
    }
    for (;;)
        owner_turn(o);
}

/* Reads what the child tells; kills it after `after` answers; what is in the pipe still counts.
 */
static long run_and_kill(struct owner *o, long after, uint64_t *acked)
{
    struct told t;
    long got = 0;
    int fds[2], status = 0;
    pid_t pid;

    MUST(pipe(fds) == 0);
    fflush(stdout);
    pid = fork();
    MUST(pid >= 0);
    if (pid == 0) {
        close(fds[0]);
        child(o, fds[1]);
    }
    close(fds[1]);
    while (read(fds[0], &t, sizeof(t)) == (ssize_t)sizeof(t)) {
        CHECK_INT(t.version, acked[t.id] + 1);
        acked[t.id] = t.version;
        if (++got == after)
            kill(pid, SIGKILL);
    }
    close(fds[0]);
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    return got;
}

static void check_whole(const char *path)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *st = NULL;

    CHECK_INT(sqlite3_open(path, &db), SQLITE_OK);
    CHECK_INT(sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &st, NULL), SQLITE_OK);
    CHECK_INT(sqlite3_step(st), SQLITE_ROW);
    CHECK_STR((const char *)sqlite3_column_text(st, 0), "ok");
    sqlite3_finalize(st);
    sqlite3_close(db);
}

static void killed_under_load(void)
{
    struct owner o;
    uint64_t acked[IDS] = {0};
    char want[4096], id[16];
    unsigned seed = (unsigned)getpid();

    owner_settle(&o, "/tmp");
    printf("# seed %u\n", seed);
    for (int round = 0; round < ROUNDS && !tap_failures; round++) {
        long after = 1 + rand_r(&seed) % 400;
        CHECK(run_and_kill(&o, after, acked) >= after);
        check_whole(o.path);
        unsigned rows = 0;
        CHECK_INT(owner_open(&o), 0);
        if (!o.store)
            break;
        for (uint32_t i = 0; i < IDS; i++) {
            struct seen s;
            snprintf(id, sizeof(id), "sess_%u", i);
            s = get_now(&o, id);
            /* The last commit may have been durable and not yet told: one more, no more. */
            CHECK(s.version == acked[i] || s.version == acked[i] + 1);
            CHECK(!s.found || s.len == make_data(want, sizeof(want), i, s.version));
            CHECK(!s.found || memcmp(s.text, want, s.len) == 0);
            acked[i] = s.version;
            rows += s.found;
        }
        CHECK_INT(stats_now(&o).rows, rows);
        store_close(&o.store);
    }
    owner_release(&o);
}

static const struct tap_case cases[] = {
    {"killed under load, all that was acknowledged is there", killed_under_load},
};

TAP_MAIN(cases)
