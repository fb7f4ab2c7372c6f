/* Who charges a session's budget without holding it. */
#include "session/rider.c"
#include "seal/seal.h"

#include "unit/session/sealed.h"
#include "unit/tap.h"

static struct session *held;

static void *state_make(struct region *r)
{
    return region_alloc(r, 8);
}

static void state_encode(const void *state, struct buf *out)
{
    (void)state;
    buf_char(out, 'x');
}

static void *state_decode(struct region *r, const void *data, size_t len, struct err *e)
{
    (void)data;
    (void)len;
    (void)e;
    return state_make(r);
}

static void on_ready(struct session_wait *w, struct session *s, const struct err *e)
{
    (void)w;
    (void)e;
    held = s;
}

static struct session_table *begin(void)
{
    static const struct session_state_ops ops = {state_make, state_encode, state_decode};
    const struct session_cfg cfg = {.budget = 65536,
                                    .max_resident = 5,
                                    .expiry_s = 3600,
                                    .hibernate_s = 300,
                                    .max_waiters = 4,
                                    .threshold = 0.8,
                                    .state_ops = &ops,
                                    .seal = the_seal};
    static struct session_wait wait = {.ready = on_ready};
    struct session_table *t;
    struct err e;

    fake_clear();
    CHECK_INT(session_table_new(&cfg, &t, &e), 0);
    session_open(t, "s", SESSION_CREATE, 1000, &wait);
    CHECK(held != NULL);
    return t;
}

struct rider {
    struct session_rider base;
    size_t charged;
    int gone;
    struct rider *other; /* alights with it */
};

static void on_gone(struct session_rider *r)
{
    struct rider *me = (struct rider *)r;

    CHECK(r->session == NULL);
    budget_return(&held->budget, me->charged);
    me->gone++;
    if (me->other && me->other->base.session) {
        budget_return(&held->budget, me->other->charged);
        session_alight(&me->other->base);
    }
}

static void ride(struct rider *r, size_t n)
{
    *r = (struct rider){.base.gone = on_gone, .charged = n};
    session_ride(held, &r->base);
    CHECK(budget_charge(&held->budget, n));
}

static void on_committed(void *ctx, const struct err *e)
{
    *(bool *)ctx = !e;
}

static void leave_stored(void)
{
    bool committed = false;
    struct err e;

    CHECK(session_say(held, str_of("hello"), str_of("evening")));
    CHECK_INT(session_commit(held, 1000, on_committed, &committed, &e), 0);
    fake_reap();
    CHECK(committed);
    session_leave(held);
}

static void told_when_it_sleeps(void)
{
    struct session_table *t = begin();
    struct rider a, b, c, d;
    struct session_stats st;

    ride(&a, 100);
    ride(&b, 200);
    ride(&c, 300);
    ride(&d, 400);
    c.other = &a;
    session_alight(&b.base);
    budget_return(&held->budget, 200);
    session_alight(&b.base); /* does no harm */
    leave_stored();
    CHECK_INT(a.gone + b.gone + c.gone + d.gone, 0); /* idle, in memory: they stay */
    session_stats(t, &st);
    CHECK(st.used > 800);
    session_tick(t, 1000 + 301);
    session_stats(t, &st);
    CHECK_INT(st.resident, 0);
    CHECK_INT(st.used, 0);
    CHECK(a.gone == 0 && !a.base.session); /* c took it along */
    CHECK(b.gone == 0 && c.gone == 1 && d.gone == 1);
    session_table_free(&t);
}

static void told_when_it_was_never_stored(void)
{
    struct session_table *t = begin();
    struct rider a;

    ride(&a, 100);
    session_leave(held);
    CHECK_INT(a.gone, 1);
    session_table_free(&t);
}

static const struct tap_case cases[] = {
    {"told when the session sleeps", told_when_it_sleeps},
    {"told when the session was never stored", told_when_it_was_never_stored},
};

SEALED_MAIN(cases)
