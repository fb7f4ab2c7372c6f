/* Sessions hibernated and ended by hand, at every moment, on a fake store. */
#include "session/remove.c"

#include "unit/session/by_hand.h"

static char last_line[600];

static void keep_line(const char *line)
{
    str_copy(last_line, sizeof(last_line), line);
}

struct removal {
    struct session_removal removal;
    int calls;
    enum err_code code;
};

static void on_removed(struct session_removal *r, const struct err *e)
{
    struct removal *me = LIST_ITEM(r, struct removal, removal);

    me->calls++;
    me->code = e ? e->code : ERR_NONE;
}

static void end_it(struct session_table *t, const char *id, struct removal *r)
{
    *r = (struct removal){.removal = {.done = on_removed}};
    session_remove(t, id, NOW, &r->removal);
}

struct question {
    struct session_ask ask;
    int calls;
    bool found;
    struct session_stored row;
    enum err_code code;
};

static void on_told(struct session_ask *a, const struct session_stored *row,
                    const struct err *e)
{
    struct question *q = LIST_ITEM(a, struct question, ask);

    q->calls++;
    q->found = row != NULL;
    if (row)
        q->row = *row;
    q->code = e ? e->code : ERR_NONE;
}

static void ask_store(struct session_table *t, const char *id, int64_t now_s,
                      struct question *q)
{
    *q = (struct question){.ask = {.told = on_told}};
    session_ask_store(t, id, now_s, &q->ask);
}

static uint64_t ended(const struct session_table *t, enum session_end why)
{
    struct session_stats st;

    session_stats(t, &st);
    return st.ended[why];
}

static void test_hibernate(void)
{
    struct session_table *t = table_with(10);
    struct waiter w;
    struct question q;
    struct err e;

    make(t, "sess_0123456789", 100, NOW);
    ask(t, "sess_0123456789", NOW, &w);
    CHECK(session_hibernate_one(t, "sess_0123456789", &e) < 0 && e.code == ERR_IN_USE);
    session_leave(w.s);
    log_setup(LOG_INFO, false);
    log_sink(keep_line);
    CHECK(session_hibernate_one(t, "sess_0123456789", &e) == 0);
    log_setup(LOG_ERROR, false);
    log_sink(NULL);
    CHECK(strstr(last_line, "hibernate_by_hand") && strstr(last_line, "sess_012"));
    CHECK(!strstr(last_line, "sess_0123"));
    CHECK_INT(ended(t, SESSION_END_HAND), 1);
    CHECK(!session_peek(t, "sess_0123456789"));
    CHECK(session_hibernate_one(t, "sess_0123456789", &e) < 0 && e.code == ERR_NOT_FOUND);

    ask_store(t, "sess_0123456789", NOW + 10, &q);
    CHECK(q.calls == 1 && q.found && q.row.version == 1 && q.row.used_s == NOW);
    CHECK(q.row.idle_s == 10 && q.row.expires_in_s == 3590);
    CHECK_INT(q.row.bytes, fake_find("sess_0123456789")->len);
    ask_store(t, "sess_0123456789", NOW + 3601, &q); /* expired: as good as gone */
    CHECK(q.calls == 1 && !q.found && q.code == ERR_NONE);
    ask_store(t, "nobody", NOW, &q);
    CHECK(q.calls == 1 && !q.found && q.code == ERR_NONE);
    fake.fail_gets = ERR_STORE;
    ask_store(t, "nobody", NOW, &q);
    CHECK(q.calls == 1 && !q.found && q.code == ERR_STORE);
    fake.fail_gets = ERR_NONE;

    ask(t, "sess_0123456789", NOW + 10, &w); /* nothing was lost */
    CHECK(w.s && w.s->turns == 1 && w.s->message_count == 2);
    session_leave(w.s);
    session_table_free(&t);
}

static void test_remove_idle_and_asleep(void)
{
    struct session_table *t = table_with(10);
    struct removal a, b, c;
    struct waiter w;
    struct err e;

    make(t, "idle", 100, NOW);
    make(t, "asleep", 100, NOW);
    CHECK(session_hibernate_one(t, "asleep", &e) == 0);
    end_it(t, "idle", &a);
    end_it(t, "asleep", &b);
    end_it(t, "nobody", &c);
    CHECK(a.calls == 0 && b.calls == 0); /* not before the rows are gone */
    CHECK(c.calls == 1 && c.code == ERR_NOT_FOUND);
    CHECK_INT(session_peek(t, "asleep")->state, SESSION_ENDING);
    ask(t, "asleep", NOW + 5, &w);
    CHECK(w.calls == 0);
    fake_reap();
    CHECK(a.calls == 1 && a.code == ERR_NONE && b.calls == 1 && b.code == ERR_NONE);
    CHECK(!fake_find("idle") && !fake_find("asleep") && !session_peek(t, "idle"));
    CHECK(w.s && w.s->turns == 0 && w.s->version == 0 && w.s->created_s == NOW + 5);
    CHECK_INT(ended(t, SESSION_END_REMOVED), 2);
    session_leave(w.s);
    CHECK_INT(t->unstored, 0);
    session_table_free(&t);
}

/* The turn that holds it ends as it would have; who waits is told; who comes later is new. */
static void test_remove_busy(void)
{
    struct session_table *t = table_with(10);
    struct waiter holder, waiting, later;
    struct removal r, again;
    enum err_code code = ERR_INTERNAL;
    struct err e;

    make(t, "a", 100, NOW);
    ask(t, "a", NOW, &holder);
    ask(t, "a", NOW, &waiting);
    CHECK(session_say(holder.s, str_of("one more"), str_of("here")));
    CHECK(session_commit(holder.s, NOW, on_commit, &code, &e) == 0);
    end_it(t, "a", &r);
    CHECK(waiting.calls == 1 && !waiting.s && waiting.code == ERR_ENDED);
    ask(t, "a", NOW + 7, &later);
    end_it(t, "a", &again); /* asked twice: who came in between is told too */
    CHECK(later.calls == 1 && later.code == ERR_ENDED);
    ask(t, "a", NOW + 7, &later);
    fake_reap();
    CHECK_INT(code, ERR_NONE);
    CHECK_INT(fake_find("a")->version, 2);
    CHECK(r.calls == 0 && later.calls == 0);
    session_leave(holder.s);
    fake_reap();
    CHECK(r.calls == 1 && r.code == ERR_NONE && again.calls == 1 && again.code == ERR_NONE);
    CHECK(!fake_find("a"));
    CHECK(later.s && later.s->turns == 0 && later.s->created_s == NOW + 7);
    session_leave(later.s);
    CHECK_INT(t->unstored, 0);
    session_table_free(&t);
}

/* Undone turns, first turns, and rows that nobody can read. */
static void test_remove_in_odd_moments(void)
{
    struct session_table *t = table_with(10);
    struct removal r;
    struct waiter w;
    struct err e;

    ask(t, "fresh", NOW, &w);
    CHECK_INT(t->unstored, 1);
    end_it(t, "fresh", &r);
    session_leave(w.s);
    fake_reap();
    CHECK(r.calls == 1 && r.code == ERR_NONE && t->unstored == 0);
    CHECK(!session_peek(t, "fresh"));

    make(t, "a", 100, NOW);
    ask(t, "a", NOW, &w);
    CHECK(session_say(w.s, str_of("never mind"), str_of("well")));
    end_it(t, "a", &r);
    session_revert(w.s, NOW);
    fake_reap();
    CHECK(r.calls == 1 && r.code == ERR_NONE && !fake_find("a"));

    make(t, "b", 100, NOW); /* ended while it is read again */
    ask(t, "b", NOW, &w);
    fake.hold_gets = true;
    session_revert(w.s, NOW);
    end_it(t, "b", &r);
    fake_reap();
    fake_reap();
    CHECK(r.calls == 1 && r.code == ERR_NONE && !fake_find("b"));

    end_it(t, "c", &r); /* while it is looked for, somebody makes it */
    ask(t, "c", NOW + 1, &w);
    CHECK(w.calls == 0 && r.calls == 0);
    fake_reap();
    CHECK(r.calls == 1 && r.code == ERR_NOT_FOUND);
    CHECK(w.s && w.s->version == 0 && !w.s->ended);
    session_leave(w.s);
    fake.hold_gets = false;

    make(t, "d", 100, NOW);
    CHECK(session_hibernate_one(t, "d", &e) == 0);
    memset(fake_find("d")->data, 0, 20);
    end_it(t, "d", &r);
    fake_reap();
    CHECK(r.calls == 1 && r.code == ERR_NONE && !fake_find("d"));

    fake.fail_gets = ERR_STORE;
    end_it(t, "e", &r);
    CHECK(r.calls == 1 && r.code == ERR_STORE && !session_peek(t, "e"));
    fake.fail_gets = ERR_NONE;

    make(t, "f", 100, NOW); /* who asked has gone: it ends all the same */
    end_it(t, "f", &r);
    session_removal_cancel(&r.removal);
    fake_reap();
    CHECK(r.calls == 0 && !fake_find("f") && !session_peek(t, "f"));

    make(t, "g", 100, NOW - 4000); /* expired on its own just now */
    session_cleanup(t, NOW);
    end_it(t, "g", &r);
    CHECK_INT(r.calls, 0);
    fake_reap();
    CHECK(r.calls == 1 && r.code == ERR_NONE);
    session_table_free(&t);
}

/* Everything at random: each is told exactly once, and what was ended is nowhere. */
static void test_at_random(void)
{
    enum { IDS = 4, HANDS = 6 };
    struct session_table *t = table_with(3);
    static struct waiter waiters[HANDS];
    static struct removal removals[HANDS];
    static enum err_code codes[HANDS];
    bool waits[HANDS] = {0}, commits[HANDS] = {0}, removes[HANDS] = {0};
    uint64_t rng = 11;
    int removed_count = 0, told_count = 0;
    struct err e;

    for (int i = 0; i < 60000; i++) {
        rng = rng * 6364136223846793005u + 1442695040888963407u;
        unsigned n = (unsigned)(rng >> 33), h = n % HANDS;
        char id[2] = {(char)('a' + n / 8 % IDS)};
        struct waiter *w = &waiters[h];
        fake.hold_gets = n / 4096 % 2;
        fake.fail_puts = n / 8192 % 8 ? ERR_NONE : ERR_STORE;
        if (waits[h] && w->calls && !w->s) { /* refused */
            told_count += w->code == ERR_ENDED;
            waits[h] = false;
        }
        if (commits[h] && codes[h] != ERR_INTERNAL) {
            commits[h] = waits[h] = false;
            if (codes[h])
                session_revert(w->s, NOW);
            else
                session_leave(w->s);
        }
        if (removes[h] && removals[h].calls) {
            CHECK_INT(removals[h].calls, 1);
            removed_count += removals[h].code == ERR_NONE;
            removes[h] = false;
        }
        switch (n / 64 % 8) {
        case 0:
            if (!removes[h]) {
                end_it(t, id, &removals[h]);
                removes[h] = true;
            }
            break;
        case 1:
            if (removes[h] && !removals[h].calls && n / 1024 % 2) {
                session_removal_cancel(&removals[h].removal);
                removes[h] = false;
            }
            break;
        case 2:
            if (session_hibernate_one(t, id, &e) < 0)
                CHECK(e.code == ERR_IN_USE || e.code == ERR_NOT_FOUND);
            break;
        case 3:
            session_tick(t, NOW + n / 1024 % 32); /* what is idle is packed now and then */
            break;
        case 4:
            fake_reap();
            break;
        default:
            if (!waits[h]) {
                ask(t, id, NOW, w);
                waits[h] = true;
            } else if (!w->calls && n / 1024 % 4 == 0) {
                session_wait_cancel(&w->wait);
                waits[h] = false;
            } else if (w->s && !commits[h]) {
                codes[h] = ERR_INTERNAL;
                commits[h] = session_say(w->s, str_of("x"), str_of("y")) &&
                             session_commit(w->s, NOW, on_commit, &codes[h], &e) == 0;
                CHECK(commits[h]);
            }
        }
    }
    fake.hold_gets = false;
    for (int round = 0; round < 40; round++) {
        fake_reap();
        for (int h = 0; h < HANDS; h++) {
            if (waits[h] && waiters[h].s && (!commits[h] || codes[h] != ERR_INTERNAL)) {
                session_leave(waiters[h].s);
                waits[h] = false;
            }
        }
    }
    CHECK(removed_count > 500 && told_count > 100);
    CHECK(list_empty(&t->removals) && t->unstored == 0 && fake.queued == 0);
    for (int i = 0; i < IDS; i++) {
        char id[2] = {(char)('a' + i)};
        struct removal r;
        end_it(t, id, &r);
        fake_reap();
        CHECK(r.calls == 1 && !fake_find(id) && !session_peek(t, id));
    }
    CHECK_INT(t->total.used, 0);
    session_table_free(&t);
}

static const struct tap_case cases[] = {
    {"hibernated by hand", test_hibernate},
    {"ended: idle, asleep, unknown", test_remove_idle_and_asleep},
    {"ended while a turn holds it", test_remove_busy},
    {"ended at odd moments", test_remove_in_odd_moments},
    {"everything at random", test_at_random},
};

SEALED_MAIN(cases)
