/* What is told of a session in every state, and that telling changes none. */
#include "session/seen.c"

#include "unit/session/sealed.h"
#include "unit/tap.h"

#include "base/wire.h"
#include "seal/seal.h"

#define NOT_TOLD (-2)

static struct session_table *t;

static void *state_make(struct region *r)
{
    return region_alloc(r, 1);
}

static void state_encode(const void *state, struct buf *out)
{
    (void)state;
    wire_put_uint(out, 1);
}

static void *state_decode(struct region *r, const void *data, size_t len, struct err *e)
{
    (void)data;
    (void)len;
    (void)e;
    return region_alloc(r, 1);
}

static const struct session_state_ops state_ops = {state_make, state_encode, state_decode};

static void open_table(void)
{
    const struct session_cfg cfg = {.budget = 65536,
                                    .max_resident = 10,
                                    .expiry_s = 3600,
                                    .hibernate_s = 300,
                                    .max_waiters = 4,
                                    .threshold = 0.8,
                                    .state_ops = &state_ops,
                                    .seal = the_seal};
    struct err e;

    fake_clear();
    CHECK(session_table_new(&cfg, &t, &e) == 0);
}

struct asked {
    struct session_seen q;
    int64_t used_s;
    bool failed;
};

static void on_told(struct session_seen *q, int64_t used_s, const struct err *e)
{
    struct asked *a = LIST_ITEM(q, struct asked, q);

    CHECK_INT(a->used_s, NOT_TOLD); /* once */
    a->used_s = used_s;
    a->failed = e != NULL;
}

static int64_t seen(const char *id, int64_t now_s)
{
    struct asked a = {.q.told = on_told, .used_s = NOT_TOLD};

    session_seen(t, id, now_s, &a.q);
    return a.used_s;
}

static struct session *held;

static void on_ready(struct session_wait *w, struct session *s, const struct err *e)
{
    (void)w;
    CHECK(s && !e);
    held = s;
}

static void on_done(void *ctx, const struct err *e)
{
    (void)ctx;
    CHECK(!e);
}

static void test_states(void)
{
    struct session_wait w = {.ready = on_ready};
    struct err e;

    open_table();
    CHECK_INT(seen("a", 1000), -1);
    session_open(t, "a", SESSION_CREATE, 1000, &w);
    CHECK(held);
    CHECK_INT(seen("a", 1000), -1); /* not stored: perhaps it never will be */
    CHECK(session_commit(held, 1000, on_done, NULL, &e) == 0);
    fake_reap();
    CHECK_INT(seen("a", 9000), 9000); /* held: in use */
    CHECK(!session_at_rest(t, "a", 1000));
    CHECK(session_budget(held) == &held->budget);
    session_leave(held);
    CHECK_INT(seen("a", 2000), 1000);
    const struct session *s = session_at_rest(t, "a", 4600);
    CHECK(s && s->used_s == 1000 && s->state == SESSION_IDLE);
    CHECK(!session_at_rest(t, "a", 4601)); /* expired, whether or not it was removed yet */
    CHECK_INT(seen("a", 4600), 1000);
    CHECK_INT(seen("a", 4601), -1);
    session_tick(t, 1300);
    CHECK(!session_at_rest(t, "a", 1300)); /* asleep */
    CHECK_INT(seen("a", 4600), 1000);
    CHECK_INT(seen("a", 4601), -1);
    CHECK_INT(t->by_id.count, 0); /* nothing was loaded */
    session_table_free(&t);
}

static void test_store(void)
{
    struct asked a = {.q.told = on_told, .used_s = NOT_TOLD};

    open_table();
    fake.fail_gets = ERR_STORE;
    session_seen(t, "a", 1000, &a.q);
    CHECK(a.failed);
    fake.fail_gets = ERR_NONE;
    fake.hold_gets = true;
    a.used_s = NOT_TOLD;
    session_seen(t, "a", 1000, &a.q);
    CHECK_INT(a.used_s, NOT_TOLD);
    fake_reap();
    CHECK_INT(a.used_s, -1);
    fake.hold_gets = false;
    session_table_free(&t);
}

static void test_ending(void)
{
    struct session_wait w = {.ready = on_ready};
    struct err e;

    open_table();
    session_open(t, "a", SESSION_CREATE, 1000, &w);
    CHECK(session_commit(held, 1000, on_done, NULL, &e) == 0);
    fake_reap();
    session_leave(held);
    session_cleanup(t, 4601);
    CHECK_INT(t->count[SESSION_ENDING], 1);
    CHECK_INT(seen("a", 4601), -1);
    CHECK(!session_at_rest(t, "a", 1000));
    fake_reap();
    session_table_free(&t);
}

static void test_held(void)
{
    struct session_wait w = {.ready = on_ready};
    struct err e;

    open_table();
    CHECK(!session_held(t, "a"));
    fake.hold_gets = true;
    session_open(t, "a", SESSION_CREATE, 1000, &w);
    CHECK(session_held(t, "a")); /* its row is read */
    fake.hold_gets = false;
    fake_reap();
    CHECK(session_held(t, "a"));
    CHECK(session_commit(held, 1000, on_done, NULL, &e) == 0);
    fake_reap();
    session_leave(held);
    CHECK(!session_held(t, "a"));
    session_table_free(&t);
}

static void test_version(void)
{
    struct asked a = {.q.told = on_told, .used_s = NOT_TOLD};
    struct session_wait w = {.ready = on_ready};
    struct err e;

    open_table();
    session_seen(t, "a", 1000, &a.q);
    CHECK_INT(a.q.version, 0);
    session_open(t, "a", SESSION_CREATE, 1000, &w);
    for (int i = 0; i < 3; i++) {
        CHECK(session_commit(held, 1000, on_done, NULL, &e) == 0);
        fake_reap();
    }
    a.used_s = NOT_TOLD;
    session_seen(t, "a", 1000, &a.q);
    CHECK_INT(a.q.version, 3);
    session_leave(held);
    struct fake_row *row = fake_find("a");
    row->version = 0; /* removed by another container: what is in memory says nothing */
    a.used_s = NOT_TOLD;
    session_seen(t, "a", 4601, &a.q);
    CHECK_INT(a.used_s, -1);
    CHECK_INT(a.q.version, 0);
    row->version = 3;
    session_tick(t, 1300); /* asleep */
    a.used_s = NOT_TOLD;
    session_seen(t, "a", 1300, &a.q);
    CHECK_INT(a.q.version, 3);
    session_table_free(&t);
}

static const struct tap_case cases[] = {
    {"whether somebody holds it", test_held},
    {"which version its row has", test_version},
    {"in every state", test_states},
    {"from a store that is slow or fails", test_store},
    {"while its row is removed", test_ending},
};

SEALED_MAIN(cases)
