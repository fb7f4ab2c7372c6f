/* The life of sessions, on a fake store and with time as an argument. */
#include "session/admit.c"
#include "session/codec.c"
#include "session/commit.c"
#include "session/expire.c"
#include "session/history.c"
#include "session/open.c"
#include "session/replay.c"
#undef FIRST_CHUNK
#include "session/table.c"

#include "unit/session/life.h"

static void test_ids(void)
{
    char id[SESSION_ID_MAX + 1], other[SESSION_ID_MAX + 1];
    char longest[SESSION_ID_MAX + 2];

    session_id_make(id);
    session_id_make(other);
    CHECK(strlen(id) == 21 && strncmp(id, "sess_", 5) == 0);
    CHECK(session_id_valid(id, strlen(id)));
    CHECK(strcmp(id, other) != 0);
    memset(longest, 'a', sizeof(longest));
    CHECK(session_id_valid(longest, SESSION_ID_MAX));
    CHECK(!session_id_valid(longest, SESSION_ID_MAX + 1));
    CHECK(!session_id_valid("", 0));
    CHECK(session_id_valid("a-B_9.:", 7));
    CHECK(!session_id_valid("a b", 3));
    CHECK(!session_id_valid("a/b", 3));
    CHECK(!session_id_valid("a\0b", 3));
    CHECK(!session_id_valid("\xc3\xa9", 2));
}

static void test_limit_and_expiry(void)
{
    struct session_table *t = table_with(65536, 50);
    struct session_stats st;
    struct waiter w;
    char id[16];

    for (int i = 0; i < 50; i++) {
        snprintf(id, sizeof(id), "s%d", i);
        make(t, id);
    }
    ask(t, "one-more", SESSION_CREATE, &w);
    CHECK(!w.s && w.code == ERR_SESSION_LIMIT);
    ask(t, "s7", SESSION_CREATE, &w); /* who is in stays in */
    CHECK(w.s != NULL);
    session_leave(w.s);
    session_stats(t, &st);
    CHECK_INT(st.resident, 50);
    CHECK_INT(st.created, 50);
    CHECK_INT(st.rejected[SESSION_REJECT_LIMIT], 1);
    CHECK_INT(st.reserved, 50 * 65536);

    now_s += 3601;
    ask(t, "one-more", SESSION_CREATE, &w); /* no janitor came, yet there is room */
    CHECK(w.s != NULL);
    CHECK_INT(turn(w.s, "hi", "hi"), ERR_NONE);
    session_leave(w.s);
    session_stats(t, &st);
    CHECK_INT(st.resident, 1);
    CHECK_INT(st.expired, 50);
    fake_reap();
    CHECK(!fake_find("s7"));
    session_table_free(&t);
}

static void test_expired_id_begins_anew(void)
{
    struct session_table *t = table_with(65536, 4);
    struct waiter w;

    make(t, "me");
    now_s += 3600;
    ask(t, "me", SESSION_LOOK, &w); /* exactly the expiry: not longer than it */
    CHECK(w.s && w.s->turns == 1);
    session_leave(w.s);
    now_s += 1;
    ask(t, "me", SESSION_LOOK, &w); /* a look was no use */
    CHECK(!w.s && w.code == ERR_NONE && w.calls == 1);
    fake_reap();
    ask(t, "me", SESSION_CREATE, &w);
    CHECK(w.s && w.s->turns == 0 && w.s->message_count == 0);
    CHECK_INT(turn(w.s, "hi", "again"), ERR_NONE);
    session_leave(w.s);
    session_table_free(&t);
}

static void test_expired_row_is_replaced(void)
{
    struct session_table *t = table_with(65536, 4);
    struct session_table *later;
    struct session_cfg cfg = t->cfg;
    struct waiter w;
    struct err e;

    make(t, "me");
    session_table_free(&t);
    now_s += 5000;
    CHECK(session_table_new(&cfg, &later, &e) == 0); /* after a restart, only the row is left */
    ask(later, "me", SESSION_CREATE, &w);
    CHECK(w.s && w.s->turns == 0);
    CHECK_INT(turn(w.s, "hi", "new"), ERR_NONE);
    CHECK_INT(fake_find("me")->version, 2);
    session_leave(w.s);
    session_table_free(&later);
}

/* Its row is still in the store when it is asked for again, or on its way out of it. */
static void test_expired_id_is_asked_for_at_once(void)
{
    struct session_table *t = table_with(65536, 4);
    struct session_stats st;
    struct waiter w;

    make(t, "me");
    make(t, "you");
    now_s += 3601;
    ask(t, "me", SESSION_CREATE, &w); /* nobody swept it yet */
    fake_reap();
    CHECK(w.s && w.s->turns == 0 && w.s->message_count == 0);
    CHECK_INT(turn(w.s, "hi", "again"), ERR_NONE);
    session_leave(w.s);
    session_cleanup(t, now_s); /* this one is being removed */
    ask(t, "you", SESSION_LOOK, &w);
    struct waiter late;
    ask(t, "you", SESSION_CREATE, &late);
    fake_reap();
    CHECK(!w.s && w.calls == 1 && w.code == ERR_NONE);
    CHECK(late.s && late.s->turns == 0 && late.s->message_count == 0);
    CHECK_INT(turn(late.s, "hi", "again"), ERR_NONE);
    session_leave(late.s);
    session_stats(t, &st);
    CHECK_INT(st.expired, 2);
    CHECK_INT(st.resident, 2);
    CHECK_INT(st.conflicts, 0);
    CHECK_INT(t->unstored, 0);
    session_table_free(&t);
}

/* Memory is refused while a session is written down: what was stored stays whole. */
static void test_half_a_session(void)
{
    struct session_table *t = table_with(65536, 4);
    struct waiter w;
    struct err e;

    make(t, "me");
    ask(t, "me", SESSION_CREATE, &w);
    size_t len = fake_find("me")->len;
    for (int i = 0; i < 100; i++)
        CHECK(session_say(w.s, str_of("a message of some length"), str_of("another, longer")));
    t->plain.max = 200;
    CHECK_INT(turn(w.s, "more", "of it"), ERR_NOMEM);
    w.s->budget.limit = w.s->region.held * 2;
    CHECK(fold(w.s, &e) < 0 && e.code == ERR_NOMEM);
    t->plain.max = 0;
    fake_reap();
    CHECK_INT(fake_find("me")->len, len);
    session_revert(w.s, now_s);
    ask(t, "me", SESSION_LOOK, &w);
    CHECK(w.s && w.s->turns == 1);
    session_leave(w.s);
    session_table_free(&t);
}

/* A first turn that fails in a session begun anew does not bring the expired one back. */
static void test_revert_leaves_the_expired_alone(void)
{
    struct session_table *t = table_with(65536, 4);
    struct waiter w, next;

    make(t, "me");
    now_s += 3601;
    ask(t, "me", SESSION_CREATE, &w);
    fake_reap();
    ask(t, "me", SESSION_CREATE, &next);
    CHECK(w.s && session_say(w.s, str_of("a"), str_of("b")));
    session_revert(w.s, now_s);
    CHECK(next.s && next.s->turns == 0 && next.s->message_count == 0);
    CHECK_INT(turn(next.s, "hi", "again"), ERR_NONE);
    session_leave(next.s);
    session_table_free(&t);
}

/* Who was refused leaves, and takes one along that has not been told yet. */
static struct waiter *taken_along;

static void on_refused(struct session_wait *w, struct session *s, const struct err *e)
{
    on_test_ready(w, s, e);
    session_wait_cancel(&taken_along->wait);
    free(taken_along);
}

static void test_cancel_among_the_refused(void)
{
    struct session_table *t = table_with(65536, 4);
    struct waiter a = {.wait = {.ready = on_refused}};

    for (int fails = 0; fails < 2; fails++) {
        enum session_mode mode = fails ? SESSION_CREATE : SESSION_LOOK;
        taken_along = calloc(1, sizeof(*taken_along));
        taken_along->wait.ready = on_test_ready;
        fake.hold_gets = true;
        fake.fail_gets = fails ? ERR_STORE : ERR_NONE;
        session_open(t, "me", mode, now_s, &a.wait);
        session_open(t, "me", mode, now_s, &taken_along->wait);
        fake_reap();
        CHECK_INT(a.calls, fails + 1);
    }
    session_table_free(&t);
}

static void test_restart_continues(void)
{
    struct session_table *t = table_with(65536, 4);
    struct session_cfg cfg = t->cfg;
    struct session_stats st;
    struct waiter w;
    struct err e;

    ask(t, "me", SESSION_CREATE, &w);
    *(uint64_t *)w.s->agent = 4711;
    CHECK(session_set_keys(w.s, str_of("AIzaKey"), str_of("sk_car"), &e) == 0);
    CHECK_INT(turn(w.s, "one", "uno"), ERR_NONE);
    CHECK_INT(turn(w.s, "two", "due"), ERR_NONE);
    session_leave(w.s);
    session_table_free(&t);

    CHECK(session_table_new(&cfg, &t, &e) == 0);
    ask(t, "me", SESSION_LOOK, &w);
    CHECK(w.s != NULL);
    CHECK_INT(w.s->turns, 2);
    CHECK_INT(w.s->message_count, 4);
    CHECK_STR(w.s->first->text, "one");
    CHECK_STR(w.s->last->text, "due");
    CHECK_INT(*(uint64_t *)w.s->agent, 4711);
    CHECK(session_has_keys(w.s) && w.s->cartesia);
    session_stats(t, &st);
    CHECK_INT(st.woken, 1);
    session_leave(w.s);
    session_table_free(&t);
}

static void test_one_holder_at_a_time(void)
{
    struct session_table *t = table_with(65536, 4);
    struct waiter holder, queued[5], gone;

    make(t, "me");
    ask(t, "me", SESSION_CREATE, &holder);
    CHECK(holder.s != NULL);
    ask(t, "me", SESSION_CREATE, &queued[0]);
    ask(t, "me", SESSION_LOOK, &gone);
    session_wait_cancel(&gone.wait);
    for (int i = 1; i < 4; i++)
        ask(t, "me", SESSION_LOOK, &queued[i]);
    for (int i = 0; i < 4; i++)
        CHECK_INT(queued[i].calls, 0);
    ask(t, "me", SESSION_CREATE, &queued[4]);
    CHECK(queued[4].calls == 1 && queued[4].code == ERR_BUSY_TURN);
    for (int i = 0; i < 4; i++) {
        session_leave(i ? queued[i - 1].s : holder.s);
        CHECK(queued[i].calls == 1 && queued[i].s);
    }
    session_leave(queued[3].s);
    CHECK_INT(gone.calls, 0);
    session_table_free(&t);
}

static void test_look_creates_nothing(void)
{
    struct session_table *t = table_with(65536, 1);
    struct session_stats st;
    struct waiter look, create;

    make(t, "full");
    ask(t, "nobody", SESSION_LOOK, &look); /* even where no more would be admitted */
    CHECK(look.calls == 1 && !look.s && look.code == ERR_NONE);
    fake.hold_gets = true;
    now_s += 4000; /* the resident one may go */
    ask(t, "x", SESSION_LOOK, &look);
    ask(t, "x", SESSION_CREATE, &create);
    fake_reap();
    CHECK(look.calls == 1 && !look.s);
    CHECK(create.calls == 1 && create.s);
    session_leave(create.s); /* nothing was committed: it is gone again */
    fake_reap();             /* the expired one's row is removed */
    session_stats(t, &st);
    CHECK_INT(st.resident, 0);
    CHECK_INT(st.used, 0);
    session_table_free(&t);
}

static void test_policies(void)
{
    struct session_table *t = table_with(64 << 20, 1000);
    struct memory_sample m = {.limit = 1 << 30, .used = 100 << 20, .known = true};
    struct session_stats st;
    struct waiter w[16];

    /* 0.8 x 1024 - 100 = 719 MiB: eleven budgets of 64 fit */
    session_table_memory(t, &m, 100 << 20, false);
    CHECK_INT(session_room(t), 100);
    for (int i = 0; i < 12; i++) {
        char id[8];
        snprintf(id, sizeof(id), "s%d", i);
        ask(t, id, SESSION_CREATE, &w[i]);
        CHECK_INT(w[i].code, i < 11 ? ERR_NONE : ERR_INSUFFICIENT_MEMORY);
    }
    CHECK_INT(session_room(t), 2); /* 719.2 MiB less 704 */
    session_leave(w[0].s);         /* never stored, so it is gone: ten are left */
    CHECK_INT(session_room(t), 11);
    t->cfg.max_resident = 20;
    CHECK_INT(session_room(t), 11);
    t->cfg.max_resident = 10;
    CHECK_INT(session_room(t), 0);
    t->cfg.max_resident = 1000;
    session_table_memory(t, &m, 100 << 20, true);
    CHECK_INT(session_room(t), 0);
    ask(t, "more", SESSION_CREATE, &w[11]);
    CHECK_INT(w[11].code, ERR_MEMORY_PRESSURE);
    t->cfg.policy = SESSION_MEASURED;
    m.used = m.limit - (63 << 20);
    session_table_memory(t, &m, 0, false);
    ask(t, "more", SESSION_CREATE, &w[11]);
    CHECK_INT(w[11].code, ERR_INSUFFICIENT_MEMORY);
    m.used = m.limit - (64 << 20);
    session_table_memory(t, &m, 0, false);
    ask(t, "more", SESSION_CREATE, &w[11]);
    CHECK(w[11].s != NULL);
    session_stats(t, &st);
    CHECK_INT(st.rejected[SESSION_REJECT_PRESSURE], 1);
    CHECK_INT(st.rejected[SESSION_REJECT_INSUFFICIENT], 2);
    for (int i = 1; i < 12; i++)
        session_leave(w[i].s);
    session_table_free(&t);
}

static void test_stored_limit(void)
{
    struct session_table *t = table_with(65536, 10);
    struct waiter a, b;

    t->cfg.max_stored = 2;
    make(t, "one");
    ask(t, "two", SESSION_CREATE, &a); /* not stored yet, but counted */
    ask(t, "three", SESSION_CREATE, &b);
    CHECK(a.s && b.code == ERR_SESSION_LIMIT);
    session_leave(a.s);
    ask(t, "three", SESSION_CREATE, &b);
    CHECK(b.s != NULL);
    session_leave(b.s);
    session_table_free(&t);
}

static void test_failed_commit_is_undone(void)
{
    struct session_table *t = table_with(65536, 4);
    struct waiter w, next;

    make(t, "me");
    ask(t, "me", SESSION_CREATE, &w);
    *(uint64_t *)w.s->agent = 5;
    fake.fail_puts = ERR_STORE;
    CHECK_INT(turn(w.s, "lost", "words"), ERR_STORE);
    ask(t, "me", SESSION_CREATE, &next);
    session_revert(w.s, now_s);
    CHECK(next.s && next.s->turns == 1 && next.s->message_count == 2);
    CHECK_INT(*(uint64_t *)next.s->agent, 0);
    fake.fail_puts = ERR_NONE;
    CHECK_INT(turn(next.s, "kept", "words"), ERR_NONE);
    CHECK_INT(next.s->version, 2);
    session_leave(next.s);
    session_table_free(&t);
}

static void test_conflict_reads_the_newer(void)
{
    struct session_table *here = table_with(65536, 4), *there;
    struct session_cfg cfg = here->cfg;
    struct session_stats st;
    struct waiter a, b;
    struct err e;

    make(here, "me");
    CHECK(session_table_new(&cfg, &there, &e) == 0);
    ask(here, "me", SESSION_CREATE, &a); /* both hold it at once */
    ask(there, "me", SESSION_CREATE, &b);
    CHECK_INT(turn(b.s, "from", "there"), ERR_NONE);
    session_leave(b.s);
    CHECK_INT(turn(a.s, "from", "here"), ERR_CONFLICT);
    session_revert(a.s, now_s);
    ask(here, "me", SESSION_CREATE, &a);
    CHECK_STR(a.s->last->text, "there");
    CHECK_INT(turn(a.s, "now", "it works"), ERR_NONE);
    session_leave(a.s);
    session_stats(here, &st);
    CHECK_INT(st.conflicts, 1);
    session_table_free(&here);
    session_table_free(&there);
}

/* Two containers on one store, and a session that both have in memory, idle. */
static void both(struct session_table **here, struct session_table **there)
{
    struct session_cfg cfg;
    struct waiter w;
    struct err e;

    *here = table_with(65536, 4);
    cfg = (*here)->cfg;
    make(*here, "me");
    CHECK(session_table_new(&cfg, there, &e) == 0);
    ask(*there, "me", SESSION_LOOK, &w);
    session_leave(w.s);
}

static void test_stale_is_read_anew(void)
{
    struct session_table *here, *there;
    struct session_stats st;
    struct waiter a, b;

    both(&here, &there);
    unsigned gets = fake.gets;
    ask(there, "me", SESSION_CREATE, &b);
    CHECK_INT(fake.gets, gets); /* nothing has changed: nothing is read */
    CHECK_INT(turn(b.s, "from", "there"), ERR_NONE);
    session_leave(b.s);
    /* Everyone who came meanwhile gets the newer one, in order. */
    fake.hold_gets = true;
    ask(here, "me", SESSION_LOOK, &a);
    ask(here, "me", SESSION_CREATE, &b);
    fake.hold_gets = false;
    CHECK_INT(a.calls + b.calls, 0);
    fake_reap();
    CHECK_INT(a.calls, 1);
    CHECK_STR(a.s->last->text, "there");
    session_leave(a.s);
    CHECK_INT(b.calls, 1);
    CHECK_INT(turn(b.s, "from", "here"), ERR_NONE);
    session_leave(b.s);
    session_stats(here, &st);
    CHECK_INT(st.conflicts, 0);
    CHECK_INT(st.resident, 1);
    /* While the store cannot say, what is in memory has to do. */
    fake.fail_gets = ERR_STORE;
    ask(here, "me", SESSION_LOOK, &a);
    CHECK(a.s);
    session_leave(a.s);
    session_table_free(&here);
    session_table_free(&there);
}

static void test_ended_elsewhere(void)
{
    struct session_table *here, *there;
    struct waiter a;

    both(&here, &there);
    fake_drop(fake_find("me"));
    ask(here, "me", SESSION_LOOK, &a);
    CHECK_INT(a.calls, 1);
    CHECK(!a.s);
    CHECK_INT(a.code, ERR_NONE);
    ask(there, "me", SESSION_CREATE, &a);
    CHECK_INT(a.s->message_count, 0);
    CHECK_INT(turn(a.s, "a new", "evening"), ERR_NONE);
    session_leave(a.s);
    session_table_free(&here);
    session_table_free(&there);
}

static void test_no_expiry_of_the_used(void)
{
    struct session_table *here, *there;
    struct waiter a;

    both(&here, &there);
    now_s += 3000;
    ask(there, "me", SESSION_CREATE, &a);
    CHECK_INT(turn(a.s, "still", "here"), ERR_NONE);
    session_leave(a.s);
    now_s += 3000;
    session_cleanup(here, now_s); /* there it is 3000 seconds old, here 6000 */
    fake_reap();
    CHECK(fake_find("me"));
    ask(here, "me", SESSION_LOOK, &a);
    CHECK_STR(a.s->last->text, "here");
    session_leave(a.s);
    now_s += 3000;
    session_cleanup(there, now_s);
    fake_reap();
    CHECK(!fake_find("me"));
    session_table_free(&here);
    session_table_free(&there);
}

static void test_broken_row_costs_one_session(void)
{
    struct session_table *t = table_with(65536, 4);
    struct session_cfg cfg = t->cfg;
    struct session_stats st;
    struct waiter w;
    struct err e;

    make(t, "bad");
    make(t, "good");
    session_table_free(&t);
    ((uint8_t *)fake_find("bad")->data)[60] ^= 1;
    CHECK(session_table_new(&cfg, &t, &e) == 0);
    ask(t, "bad", SESSION_CREATE, &w);
    CHECK(!w.s && w.code == ERR_CORRUPT);
    ask(t, "good", SESSION_CREATE, &w);
    CHECK(w.s && w.s->turns == 1);
    session_leave(w.s);
    session_stats(t, &st);
    CHECK_INT(st.unreadable, 1);
    CHECK_INT(st.resident, 1);
    ask(t, "bad", SESSION_RENEW, &w); /* only who wants to start over gives it up */
    CHECK(w.s && w.s->turns == 0);
    CHECK_INT(turn(w.s, "once", "more"), ERR_NONE);
    CHECK_INT(fake_find("bad")->version, 2);
    session_leave(w.s);
    fake.fail_gets = ERR_STORE;
    ask(t, "other", SESSION_CREATE, &w);
    CHECK_INT(w.code, ERR_STORE);
    session_table_free(&t);
}

static void test_budget_is_never_passed(void)
{
    struct session_table *t = table_with(32768, 4);
    struct waiter w, neighbour;
    char big[40000];

    memset(big, 'x', sizeof(big) - 1);
    big[sizeof(big) - 1] = '\0';
    make(t, "neighbour");
    make(t, "me");
    ask(t, "me", SESSION_CREATE, &w);
    for (size_t n = 1000; n < sizeof(big) - 1; n += 1000) {
        big[n] = '\0';
        enum err_code code = turn(w.s, big, "no");
        CHECK(w.s->budget.used <= w.s->budget.limit && w.s->budget.peak <= w.s->budget.limit);
        big[n] = 'x';
        if (code != ERR_NONE)
            break;
    }
    session_revert(w.s, now_s);
    ask(t, "me", SESSION_CREATE, &w); /* it goes on, with what was acknowledged */
    CHECK(w.s != NULL);
    CHECK_INT(fold(w.s, NULL), 0);
    CHECK_INT(turn(w.s, "short", "yes"), ERR_NONE);
    session_leave(w.s);
    ask(t, "neighbour", SESSION_CREATE, &neighbour);
    CHECK_INT(turn(neighbour.s, "all", "well"), ERR_NONE);
    session_leave(neighbour.s);
    session_table_free(&t);
}

static void test_long_conversation_folds(void)
{
    struct session_table *t = table_with(65536, 4);
    struct waiter w;
    char text[200];

    ask(t, "me", SESSION_CREATE, &w);
    for (int i = 0; i < 2000; i++) {
        snprintf(text, sizeof(text), "message %d %0100d", i, i);
        CHECK_INT(fold(w.s, NULL), 0);
        *(uint64_t *)w.s->agent = (uint64_t)i;
        CHECK_INT(turn(w.s, text, "yes, I see"), ERR_NONE);
    }
    CHECK_INT(w.s->turns, 2000);
    CHECK_INT(w.s->message_count + w.s->folded_count, 4000);
    snprintf(text, sizeof(text), "%u were folded", w.s->folded_count);
    CHECK(str_eq((struct str){w.s->summary, w.s->summary_len}, text));
    CHECK(w.s->message_count >= 10 && w.s->first->from_person);
    CHECK_INT(*(uint64_t *)w.s->agent, 1999);
    CHECK(w.s->budget.peak <= w.s->budget.limit);
    session_leave(w.s);
    session_table_free(&t);
}

static void test_every_allocation_failing(void)
{
    /* A budget one byte larger each time makes another allocation the one that fails. */
    for (size_t budget = 5000; budget < 9000; budget += 16) {
        struct session_table *t = table_with(budget, 4);
        struct waiter w;
        ask(t, "me", SESSION_CREATE, &w);
        if (w.s) {
            enum err_code code = turn(w.s, "a message of some length", "and its answer");
            CHECK(code == ERR_NONE || code == ERR_SESSION_MEMORY);
            CHECK(w.s->budget.peak <= budget);
            if (code == ERR_NONE)
                session_leave(w.s);
            else
                session_revert(w.s, now_s);
        } else {
            CHECK_INT(w.code, ERR_SESSION_MEMORY);
        }
        session_table_free(&t);
    }
}

static void test_replays(void)
{
    struct session_table *t = table_with(65536, 4);
    struct session_cfg cfg = t->cfg;
    uint8_t key[16] = {0}, body[16] = {9};
    struct waiter w;
    struct err e;

    ask(t, "me", SESSION_CREATE, &w);
    for (int i = 0; i < SESSION_REPLAYS + 2; i++) {
        char tail[16];
        key[0] = (uint8_t)i;
        snprintf(tail, sizeof(tail), "tail\n%d", i);
        CHECK(session_say(w.s, str_of("q"), str_of("a")));
        CHECK(session_replay_keep(w.s, key, body, str_of(tail)));
    }
    CHECK_INT(turn(w.s, "q", "a"), ERR_NONE);
    session_leave(w.s);
    session_table_free(&t);
    CHECK(session_table_new(&cfg, &t, &e) == 0);
    ask(t, "me", SESSION_LOOK, &w);
    key[0] = 1;
    CHECK(!session_replay_find(w.s, key)); /* the oldest made room */
    key[0] = 5;
    const struct session_replay *r = session_replay_find(w.s, key);
    CHECK(r != NULL);
    if (r) {
        CHECK_STR(r->tail, "tail\n5");
        CHECK_INT(r->turn, 6);
        CHECK_INT(r->messages, 12);
        CHECK(memcmp(r->body, body, 16) == 0);
    }
    session_leave(w.s);
    session_table_free(&t);
}

/* The keys of a gateway take one place of the eight, however many there are. */
static void test_replays_of_a_gateway(void)
{
    struct session_table *t = table_with(65536, 4);
    uint8_t key[16] = {1}, mine[16] = {2}, body[16] = {3};
    struct waiter w;

    ask(t, "a", SESSION_CREATE, &w);
    w.s->turns = 1;
    CHECK(session_replay_keep(w.s, mine, body, str_of("my own")));
    for (uint8_t i = 0; i < 20; i++) {
        key[0] = i;
        session_replay_once(key);
        w.s->turns++;
        CHECK(session_replay_keep(w.s, key, body, str_of("once")));
        CHECK(session_replay_find(w.s, key) != NULL);
    }
    key[0] = 18;
    CHECK(!session_replay_find(w.s, key));
    CHECK(session_replay_find(w.s, mine) != NULL);
    for (uint8_t i = 0; i < SESSION_REPLAYS; i++) {
        mine[1] = i;
        w.s->turns++;
        CHECK(session_replay_keep(w.s, mine, body, str_of("my own")));
    }
    key[0] = 19;
    CHECK(!session_replay_find(w.s, key)); /* the oldest by then */
    session_leave(w.s);
    session_table_free(&t);
}

static void test_reset(void)
{
    struct session_table *t = table_with(65536, 4);
    struct waiter w;
    struct err e;

    ask(t, "me", SESSION_CREATE, &w);
    CHECK(session_set_keys(w.s, str_of("k"), str_of(""), &e) == 0);
    CHECK(session_has_keys(w.s) && !w.s->cartesia);
    CHECK_INT(turn(w.s, "a", "b"), ERR_NONE);
    CHECK(session_fold(w.s, 2, str_of("a"), &e) == 0 && w.s->summary_len == 1);
    CHECK(session_reset(w.s, &e) == 0);
    CHECK(!w.s->summary && !w.s->summary_len);
    CHECK(!session_has_keys(w.s) && w.s->message_count == 0 && w.s->agent);
    CHECK_INT(turn(w.s, "c", "d"), ERR_NONE);
    CHECK_INT(w.s->turns, 2); /* numbers of turns stay unique for readers that come back */
    session_leave(w.s);
    session_table_free(&t);
}

static void test_codec_refuses(void)
{
    struct session_table *t = table_with(65536, 4);
    struct buf plain = BUF_INIT;
    struct waiter w;
    struct err e;

    ask(t, "me", SESSION_CREATE, &w);
    CHECK_INT(turn(w.s, "hello", "there"), ERR_NONE);
    session_encode(w.s, &plain);
    for (size_t n = 0; n < plain.len; n++) { /* cut anywhere */
        session__wipe(w.s);
        int rc = session_decode(w.s, plain.data, n, &e);
        CHECK(rc == 0 || e.code == ERR_CORRUPT);
        CHECK(rc < 0 || w.s->agent);
    }
    plain.data[2] = 99;
    session__wipe(w.s);
    CHECK(session_decode(w.s, plain.data, plain.len, &e) < 0 && e.code == ERR_NEWER);
    plain.data[0] = 'X';
    CHECK(session_decode(w.s, plain.data, plain.len, &e) < 0 && e.code == ERR_CORRUPT);
    buf_release(&plain);
    session_revert(w.s, now_s);
    session_table_free(&t);
}

static void test_store_forgets_sleepers(void)
{
    struct session_table *t = table_with(65536, 4);
    struct session_cfg cfg = t->cfg;
    struct session_stats st;
    struct err e;

    make(t, "sleeper");
    session_table_free(&t);
    CHECK(session_table_new(&cfg, &t, &e) == 0);
    now_s += 3700;
    session_cleanup(t, now_s);
    fake_reap();
    CHECK(fake_find("sleeper")); /* in the grace that no running turn outlasts */
    now_s += SESSION_EXPIRY_GRACE_S;
    session_cleanup(t, now_s);
    fake_reap();
    CHECK(!fake_find("sleeper"));
    session_stats(t, &st);
    CHECK_INT(st.expired, 1);
    session_table_free(&t);
}

static void test_refused_writes(void)
{
    struct session_table *t = table_with(65536, 4);
    struct session_stats st;
    struct waiter w;

    make(t, "a");
    ask(t, "a", SESSION_CREATE, &w);
    now_s += 10;
    fake.refuse_writes = true;
    CHECK_INT(turn(w.s, "again", "evening"), ERR_NOMEM);
    CHECK_INT(w.s->used_s, now_s - 10);
    session_revert(w.s, now_s);
    ask(t, "a", SESSION_CREATE, &w);
    CHECK_INT(w.s->message_count, 2);
    fake.refuse_writes = false;
    CHECK_INT(turn(w.s, "again", "evening"), ERR_NONE);
    session_leave(w.s);

    now_s += 3601;
    fake.refuse_writes = true;
    session_cleanup(t, now_s); /* it leaves memory; its row has to wait */
    session_stats(t, &st);
    CHECK_INT(st.resident, 0);
    CHECK(fake_find("a"));
    fake.refuse_writes = false;
    now_s += SESSION_EXPIRY_GRACE_S + 1;
    session_cleanup(t, now_s);
    fake_reap();
    CHECK(!fake_find("a"));
    session_table_free(&t);
}

/* "Your budget is used up" is said only when it is. */
static void test_who_is_to_blame(void)
{
    struct session_table *t = table_with(65536, 4);
    struct waiter w;
    struct err e;

    ask(t, "a", SESSION_CREATE, &w);
    err_set(&e, ERR_SESSION_MEMORY, 0, "full");
    budget_blame(&w.s->budget, &e);
    CHECK_INT(e.code, ERR_SESSION_MEMORY);
    w.s->budget.starved = true; /* as region.c says when malloc refuses */
    budget_blame(&w.s->budget, &e);
    CHECK_INT(e.code, ERR_NOMEM);
    CHECK_INT(turn(w.s, "hello", "evening"), ERR_NONE);
    session_leave(w.s);
    ask(t, "a", SESSION_CREATE, &w); /* the next holder begins without blame */
    CHECK(!w.s->budget.starved);
    session_leave(w.s);
    session_table_free(&t);
}

static const struct tap_case cases[] = {
    {"ids look like ids", test_ids},
    {"the limit holds, and expiry makes room", test_limit_and_expiry},
    {"a write that is refused has not happened", test_refused_writes},
    {"who is to blame for a refusal", test_who_is_to_blame},
    {"an expired id begins anew", test_expired_id_begins_anew},
    {"an expired row is replaced", test_expired_row_is_replaced},
    {"an expired id is asked for at once", test_expired_id_is_asked_for_at_once},
    {"half a session is not stored", test_half_a_session},
    {"a revert leaves the expired alone", test_revert_leaves_the_expired_alone},
    {"cancelled among the refused", test_cancel_among_the_refused},
    {"a session goes on after a restart", test_restart_continues},
    {"one holder at a time, the rest queues", test_one_holder_at_a_time},
    {"a look creates nothing", test_look_creates_nothing},
    {"both admission policies", test_policies},
    {"the limit over all stored sessions", test_stored_limit},
    {"a failed commit is undone", test_failed_commit_is_undone},
    {"after a conflict the newer one is read", test_conflict_reads_the_newer},
    {"what went on elsewhere is read before it is used", test_stale_is_read_anew},
    {"what ended elsewhere begins anew", test_ended_elsewhere},
    {"what is used elsewhere does not expire here", test_no_expiry_of_the_used},
    {"a broken row costs one session", test_broken_row_costs_one_session},
    {"the budget is never passed", test_budget_is_never_passed},
    {"a long conversation folds", test_long_conversation_folds},
    {"every allocation failing in turn", test_every_allocation_failing},
    {"answers are kept for repeats", test_replays},
    {"replays of a gateway", test_replays_of_a_gateway},
    {"reset", test_reset},
    {"the codec refuses what it must", test_codec_refuses},
    {"the store forgets sleepers", test_store_forgets_sleepers},
};

SEALED_MAIN(cases)
