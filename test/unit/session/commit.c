/*
 * Turns on a real store whose disk fails, or loses its power at any moment: what was
 * acknowledged is there, whole and in order; what was not is there whole or not at all.
 */
#include "session/commit.c"

#include "unit/store/disk.h"
#include "unit/store/fixture.h"

#include "base/wire.h"

#define GUESTS 3
#define TURNS 5

struct guest {
    struct session_wait wait;
    struct session *held;
    char id[16];
    uint32_t acked, tried; /* turns */
    enum err_code code;    /* of the last open or commit */
    bool waiting;
};

static struct owner o;
static struct guest guests[GUESTS];
static struct seal *the_seal;

/* The agent of these tests counts turns, as an agent counts money. */
static void *state_make(struct region *r)
{
    return region_alloc(r, sizeof(uint64_t));
}

static void state_encode(const void *state, struct buf *out)
{
    wire_put_uint(out, *(const uint64_t *)state);
}

static void *state_decode(struct region *r, const void *data, size_t len, struct err *e)
{
    struct wire w = wire_read(data, len);
    uint64_t *n = region_alloc(r, sizeof(*n));

    MUST(n);
    *n = wire_uint(&w);
    if (w.bad)
        err_set(e, ERR_CORRUPT, 0, "not a number");
    return w.bad ? NULL : n;
}

static struct session_table *table(void)
{
    static const struct session_state_ops ops = {state_make, state_encode, state_decode};
    const struct session_cfg cfg = {.budget = 1 << 20,
                                    .max_resident = GUESTS,
                                    .expiry_s = 3600,
                                    .hibernate_s = 300,
                                    .max_waiters = 1,
                                    .threshold = 0.8,
                                    .state_ops = &ops,
                                    .store = o.store,
                                    .seal = the_seal};
    struct session_table *t;
    struct err e;

    MUST(session_table_new(&cfg, &t, &e) == 0);
    return t;
}

static void on_guest_ready(struct session_wait *w, struct session *s, const struct err *e)
{
    struct guest *g = LIST_ITEM(w, struct guest, wait);

    g->held = s;
    g->code = e ? e->code : ERR_NONE;
}

static void on_guest_commit(void *ctx, const struct err *e)
{
    struct guest *g = ctx;

    g->waiting = false;
    g->code = e ? e->code : ERR_NONE;
}

static bool enter(struct session_table *t, struct guest *g)
{
    g->held = NULL;
    g->wait = (struct session_wait){.ready = on_guest_ready};
    session_open(t, g->id, SESSION_CREATE, 1000, &g->wait);
    return g->held != NULL;
}

/* What the person says in turn n: of a length that takes more than one page now and then. */
static struct str said(const struct guest *g, uint32_t n)
{
    static char text[6000];
    char head[32];
    size_t len = 30 + n * 1361 % 5000;

    memset(text, 'a' + (int)n % 26, len);
    memcpy(text, head, (size_t)snprintf(head, sizeof(head), "%s.%u", g->id, n));
    return (struct str){text, len};
}

/* What is kept is turns 1 to n whole, and n is one that may be. */
static void check_guest(struct session_table *t, struct guest *g)
{
    if (!enter(t, g)) {
        CHECK_INT(g->code, ERR_NONE);
        return;
    }
    const struct session *s = g->held;
    const struct session_message *m = s->first;
    if (s->turns < g->acked || s->turns > g->tried)
        printf("# %s has %u turns, acknowledged %u, tried %u\n", g->id, s->turns, g->acked,
               g->tried);
    CHECK(s->turns >= g->acked && s->turns <= g->tried);
    CHECK_INT(s->message_count, s->turns * 2);
    CHECK_INT(*(const uint64_t *)s->agent, s->turns);
    for (uint32_t n = 1; n <= s->turns && m; n++, m = m->next->next) {
        struct str want = said(g, n);
        CHECK(m->len == want.len && memcmp(m->text, want.data, want.len) == 0);
    }
    g->acked = g->tried = s->turns;
    session_leave(g->held);
}

static bool begin_turn(struct session_table *t, struct guest *g)
{
    struct err e;

    if (!enter(t, g)) {
        CHECK_INT(g->code, ERR_STORE);
        return false;
    }
    struct session *s = g->held;
    /* After a failure the store may hold the turn or not: the session knows which. */
    CHECK(s->turns >= g->acked && s->turns <= g->tried);
    ++*(uint64_t *)s->agent;
    MUST(session_say(s, said(g, s->turns + 1), str_of("Coming.")));
    if (g->tried < s->turns)
        g->tried = s->turns;
    g->waiting = true;
    MUST(session_commit(s, 1000, on_guest_commit, g, &e) == 0);
    return true;
}

static void turn_all(struct session_table *t)
{
    bool begun[GUESTS];

    for (int i = 0; i < GUESTS; i++)
        begun[i] = begin_turn(t, &guests[i]);
    for (int i = 0; i < GUESTS; i++) {
        struct guest *g = &guests[i];
        while (begun[i] && g->waiting)
            owner_turn(&o);
        if (!begun[i])
            continue;
        if (g->code == ERR_NONE) {
            g->acked = g->held->turns;
            session_leave(g->held);
        } else {
            CHECK(g->code == ERR_STORE || g->code == ERR_CONFLICT);
            session_revert(g->held, 1000);
        }
    }
}

static void begin(long fail_at, int error, long dead_from)
{
    memset(guests, 0, sizeof(guests));
    for (int i = 0; i < GUESTS; i++)
        snprintf(guests[i].id, sizeof(guests[i].id), "guest_%d", i);
    disk_plan(0, 0, 0);
    owner_settle(&o, access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    disk_plan(fail_at, error, dead_from);
}

static void talk(long until)
{
    struct session_table *t = table();

    for (int i = 0; i < TURNS && (!until || disk_count() < until); i++)
        turn_all(t);
    session_table_free(&t);
    store_close(&o.store);
}

static void check_all(void)
{
    struct session_table *t;

    if (owner_open(&o) < 0)
        printf("# open: %s\n", o.err.msg);
    CHECK(o.store);
    if (o.store) {
        t = table();
        for (int i = 0; i < GUESTS; i++)
            check_guest(t, &guests[i]);
        turn_all(t); /* and life goes on */
        for (int i = 0; i < GUESTS; i++)
            CHECK_INT(guests[i].code, ERR_NONE);
        session_table_free(&t);
    }
    owner_release(&o);
    disk_forget();
}

static long operations(void)
{
    long n;

    begin(0, 0, 0);
    MUST(owner_open(&o) == 0);
    talk(0);
    n = disk_count();
    for (int i = 0; i < GUESTS; i++)
        CHECK_INT(guests[i].acked, TURNS);
    check_all();
    return n;
}

static void the_power_goes(void)
{
    long n = operations();

    for (long at = 1; at <= n && !tap_failures; at++) {
        begin(0, SQLITE_IOERR_FSYNC, at);
        if (owner_open(&o) == 0)
            talk(at);
        disk_plan(0, 0, 0);
        disk_cut_power((unsigned)at * 2654435761u);
        char *shm = xprintf("%s-shm", o.path);
        unlink(shm);
        free(shm);
        check_all();
        if (tap_failures)
            printf("# when the power went at operation %ld of %ld\n", at, n);
    }
}

static void one_full_disk(void)
{
    long n = operations();

    for (long at = 1; at <= n && !tap_failures; at++) {
        begin(at, SQLITE_FULL, 0);
        if (owner_open(&o) == 0 || owner_open(&o) == 0)
            talk(0);
        disk_plan(0, 0, 0);
        check_all();
        if (tap_failures)
            printf("# when the disk was full at operation %ld of %ld\n", at, n);
    }
}

static const struct tap_case cases[] = {
    {"a power cut at any moment loses no acknowledged turn", the_power_goes},
    {"nor does a disk that is full once", one_full_disk},
};

int main(void)
{
    struct err e;
    int status;

    MUST(seal_new("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", "/", NULL, &the_seal, &e) ==
         0);
    disk_install();
    status = tap_run(cases, (int)ARRAY_LEN(cases));
    seal_free(&the_seal);
    return status;
}
