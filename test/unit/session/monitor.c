/* What an operator sees of sessions, on a fake store. */
#include "session/monitor.c"

#include "unit/session/by_hand.h"

static void test_figures(void)
{
    struct session_table *t = table_with(10);
    struct session_figures f;
    struct session_totals n;
    struct waiter holder, other;

    CHECK(!session_peek(t, "a"));
    make(t, "a", 100, NOW);
    make(t, "a", 100, NOW + 50);
    session_figures(session_peek(t, "a"), NOW + 80, &f);
    CHECK_STR(f.id, "a");
    CHECK_STR(f.state, "idle");
    CHECK(f.used > 200 && f.peak >= f.used && f.budget == 65536);
    CHECK_INT(f.used, session_peek(t, "a")->budget.used);
    CHECK(f.turns == 2 && f.messages == 4 && f.folded == 0 && f.waiters == 0);
    CHECK_INT(f.version, 2);
    CHECK_INT(f.age_s, 80);
    CHECK_INT(f.idle_s, 30);
    CHECK_INT(f.expires_in_s, 3570);

    ask(t, "a", NOW + 90, &holder);
    ask(t, "a", NOW + 90, &other);
    session_figures(session_peek(t, "a"), NOW + 90, &f);
    CHECK_STR(f.state, "busy");
    CHECK(f.idle_s == 0 && f.waiters == 1 && f.expires_in_s == 3600);
    session_wait_cancel(&other.wait);
    session_leave(holder.s);
    session_figures(session_peek(t, "a"), NOW + 99999, &f);
    CHECK_INT(f.expires_in_s, 0);

    make(t, "b", 10, NOW + 90);
    make(t, "c", 10, NOW + 90);
    struct err e;
    CHECK(session_hibernate_one(t, "c", &e) == 0);
    ask(t, "d", NOW + 90, &holder);
    session_totals(t, &n);
    CHECK(n.idle == 2 && n.busy == 1 && n.loading == 0 && n.ending == 0);
    CHECK(n.resident == 3 && n.stored == 3 && n.hibernated == 1 && n.max_resident == 10);
    CHECK(n.budget == 65536 && n.reserved == 3 * 65536 && n.used == t->total.used);
    session_leave(holder.s);
    session_table_free(&t);
}

/* Every order, paged in every size, is the sorted whole without a gap or a repeat. */
static void test_list(void)
{
    enum { COUNT = 60 };
    struct session_table *t = table_with(100);
    const struct session *page[COUNT + 1], *whole[COUNT + 1];
    uint64_t rng = 5;
    size_t matched;
    char id[16];

    for (int i = 0; i < COUNT; i++) {
        rng = rng * 6364136223846793005u + 1442695040888963407u;
        snprintf(id, sizeof(id), "s%02d", i * 37 % COUNT);
        make(t, id, (size_t)(rng >> 60) * 200, NOW + (int64_t)(rng >> 40) % 8);
    }
    struct waiter busy;
    ask(t, "s07", NOW + 9, &busy);
    for (int order = 0; order < 2 * SESSION_SORT__COUNT; order++) {
        struct session_query q = {
            .by = (enum session_sort)(order / 2), .ascending = order % 2, .most = COUNT + 1};
        CHECK_INT(session_list(t, &q, whole, &matched), COUNT);
        CHECK_INT(matched, COUNT);
        for (int i = 1; i < COUNT; i++)
            CHECK(stands_before(&q, whole[i - 1], whole[i]));
        for (size_t size = 1; size <= COUNT; size++) {
            size_t seen = 0, n;
            q.most = size;
            q.after_id = NULL;
            while ((n = session_list(t, &q, page, &matched)) > 0) {
                for (size_t i = 0; i < n && seen + i < COUNT; i++)
                    CHECK(page[i] == whole[seen + i]);
                seen += n;
                q.after_id = page[n - 1]->id;
                q.after = session_place(page[n - 1], q.by);
            }
            CHECK_INT(seen, COUNT);
        }
    }
    struct session_query q = {.by = SESSION_BY_IDLE, .most = COUNT};
    session_list(t, &q, whole, &matched);
    CHECK_STR(whole[COUNT - 1]->id, "s07"); /* busy: the least idle of all */
    q.state = "busy";
    CHECK_INT(session_list(t, &q, page, &matched), 1);
    CHECK(matched == 1 && page[0] == busy.s);
    q.state = "loading";
    CHECK_INT(session_list(t, &q, page, &matched), 0);
    q = (struct session_query){.most = 0};
    CHECK_INT(session_list(t, &q, page, &matched), 0);
    CHECK_INT(matched, COUNT);
    session_leave(busy.s);
    session_table_free(&t);
}

static void test_names(void)
{
    CHECK_STR(session_sort_text(SESSION_BY_AGE), "age");
    CHECK(!session_sort_text(SESSION_SORT__COUNT));
    CHECK_STR(session_state_text(0), "loading");
    CHECK_STR(session_state_text(3), "ending");
    CHECK(!session_state_text(4));
}

static const struct tap_case cases[] = {
    {"figures", test_figures},
    {"a listing, whole and paged", test_list},
    {"names", test_names},
};

SEALED_MAIN(cases)
