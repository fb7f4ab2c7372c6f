/* Leaving memory: for idleness, for room, under pressure; and packing those that stay. */
#include "session/hibernate.c"
#include "session/pack.c"

#include "unit/session/life.h"

#include <malloc.h>

static void test_idle_ones_hibernate(void)
{
    struct session_table *t = table_with(65536, 50);
    struct session_stats st;
    struct waiter w;

    make(t, "cold");
    now_s += 200;
    make(t, "warm");
    now_s += 99;
    session_tick(t, now_s);
    session_stats(t, &st);
    CHECK_INT(st.resident, 2);
    now_s += 1; /* 300 s */
    session_tick(t, now_s);
    session_stats(t, &st);
    CHECK_INT(st.resident, 1);
    CHECK_INT(st.ended[SESSION_END_IDLE], 1);
    ask(t, "cold", SESSION_CREATE, &w); /* and the person notices nothing */
    CHECK(w.s && w.s->turns == 1 && w.s->message_count == 2);
    CHECK_INT(turn(w.s, "still", "here"), ERR_NONE);
    now_s += 400;
    session_tick(t, now_s); /* the held one stays */
    session_stats(t, &st);
    CHECK_INT(st.resident, 1);
    CHECK_INT(st.woken, 1);
    CHECK_INT(st.used, w.s->budget.used);
    session_leave(w.s);
    now_s += 299;
    session_tick(t, now_s); /* idle since it was left, not since it was used */
    session_stats(t, &st);
    CHECK_INT(st.resident, 1);
    now_s += 1;
    session_tick(t, now_s);
    session_stats(t, &st);
    CHECK_INT(st.resident, 0);
    CHECK_INT(st.used, 0); /* nothing of a sleeper is left in memory */
    session_table_free(&t);
}

static void test_room_is_made_before_rejecting(void)
{
    struct session_table *t = table_with(65536, 3);
    struct session_stats st;
    struct waiter w, big;
    char text[8000];

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    make(t, "small");
    ask(t, "big", SESSION_CREATE, &big);
    CHECK_INT(turn(big.s, text, "long"), ERR_NONE);
    session_leave(big.s);
    make(t, "third");
    now_s += 29;
    ask(t, "new", SESSION_CREATE, &w); /* all were used just now */
    CHECK_INT(w.code, ERR_SESSION_LIMIT);
    now_s += 2;
    ask(t, "new", SESSION_CREATE, &w);
    CHECK(w.s != NULL);
    CHECK(!map_get(&t->by_id, "big", 3)); /* the largest of those equally cold */
    CHECK(map_get(&t->by_id, "small", 5) != NULL);
    session_leave(w.s);
    session_stats(t, &st);
    CHECK_INT(st.ended[SESSION_END_ROOM], 1);
    CHECK_INT(st.rejected[SESSION_REJECT_LIMIT], 1);
    session_table_free(&t);
}

static void test_pressure_hibernates(void)
{
    struct session_table *t = table_with(65536, 200);
    struct session_stats st;
    struct waiter held;
    char id[16];

    for (int i = 0; i < 100; i++) {
        snprintf(id, sizeof(id), "s%d", i);
        make(t, id);
    }
    ask(t, "s0", SESSION_CREATE, &held);
    now_s += 31;
    session_stats(t, &st);
    uint64_t used = st.used;
    size_t freed = session_hibernate(t, now_s, used / 2, false);
    session_stats(t, &st);
    CHECK(freed >= used / 2);
    CHECK_INT(st.used, used - freed);
    CHECK(st.resident > 45 && st.resident < 55); /* no more than was asked for */
    CHECK(session_hibernate(t, now_s, SIZE_MAX, false) > 0);
    session_stats(t, &st);
    CHECK_INT(st.resident, 1); /* whoever is talking stays */
    CHECK_INT(st.ended[SESSION_END_PRESSURE], 99);
    session_leave(held.s);
    CHECK_INT(session_hibernate(t, now_s, SIZE_MAX, false), 0);
    session_shed(t);
    session_stats(t, &st);
    CHECK_INT(st.resident, 1); /* in its cooldown */
    CHECK(session_hibernate(t, now_s, SIZE_MAX, true) > 0);
    session_stats(t, &st);
    CHECK_INT(st.resident, 0); /* which counts no more when it is that or the end */
    session_table_free(&t);
}

/* A small one is packed when it becomes idle. */
static void test_small_ones_are_packed_at_once(void)
{
    struct session_table *t = table_with(65536, 20);
    struct waiter w;

    for (int turns = 1; turns < 40; turns++) {
        ask(t, "a", SESSION_CREATE, &w);
        CHECK_INT(w.s->turns, turns - 1);
        CHECK_INT(turn(w.s, "something to say", "and what was answered"), ERR_NONE);
        session_leave(w.s);
        const struct session *s = map_get(&t->by_id, "a", 1);
        CHECK(s && s->region.held - region_used(&s->region) <= s->region.held / 4 + 64);
        CHECK_INT(s->budget.used, session__own_bytes(s));
    }
    session_table_free(&t);
}

/* What nobody uses is packed: the same session in fewer bytes, and its neighbours' order kept.
 */
static void test_idle_ones_are_packed(void)
{
    struct session_table *t = table_with(65536, 20);
    struct session_stats before, after;
    struct waiter w;
    char id[16], long_text[1024];

    memset(long_text, 'x', sizeof(long_text));
    long_text[sizeof(long_text) - 1] = '\0';
    for (int i = 0; i < 4; i++) {
        snprintf(id, sizeof(id), "s%d", i);
        ask(t, id, SESSION_CREATE, &w);
        for (int turns = 0; turns < 9; turns++)
            CHECK_INT(turn(w.s, long_text, long_text), ERR_NONE);
        session_leave(w.s);
        now_s += 3;
        session_tick(t, now_s);
    }
    CHECK(t->unpacked == map_get(&t->by_id, "s1", 2)); /* idle for 9 s; s0 for 12 */
    session_stats(t, &before);
    ask(t, "s1", SESSION_CREATE, &w);
    CHECK(t->unpacked == map_get(&t->by_id, "s2", 2)); /* who is used is passed over */
    CHECK_INT(turn(w.s, "one more", "yes"), ERR_NONE);
    session_leave(w.s);
    now_s += 30;
    session_tick(t, now_s);
    CHECK(t->unpacked == NULL);
    session_stats(t, &after);
    CHECK(after.used < before.used);
    CHECK_INT(after.resident, 4);
    for (int i = 0; i < 4; i++) {
        snprintf(id, sizeof(id), "s%d", i);
        const struct session *s = map_get(&t->by_id, id, strlen(id));
        CHECK(s && s->region.held <= region_lent_size(region_used(&s->region)));
    }
    ask(t, "s2", SESSION_CREATE, &w);
    CHECK_INT(w.s->message_count, 18);
    CHECK_INT(w.s->turns, 9);
    CHECK_STR(w.s->last->text, long_text);
    CHECK_INT(turn(w.s, "and on", "it goes"), ERR_NONE); /* its version is still right */
    session_leave(w.s);
    session_table_free(&t);
}

static void test_ten_times_more_than_fit(void)
{
    struct session_table *t = table_with(65536, 20);
    struct session_stats st;
    uint32_t turns[200] = {0}, seed = 1;
    int rejected = 0, lost = 0;

    for (int step = 0; step < 20000; step++) {
        struct waiter w;
        char id[16];
        seed = seed * 1103515245 + 12345;
        /* Nine of ten messages come from a hot set that fits. */
        int who = (seed >> 16) % 10 ? (int)((seed >> 20) % 10) : (int)((seed >> 18) % 200);
        snprintf(id, sizeof(id), "s%d", who);
        now_s += 5;
        session_tick(t, now_s);
        ask(t, id, SESSION_CREATE, &w);
        if (!w.s) {
            rejected++;
            continue;
        }
        if (now_s - w.s->used_s <= 3600 && w.s->turns != turns[who] && turns[who])
            lost += w.s->turns != 0; /* 0: it had expired */
        CHECK_INT(fold(w.s, NULL), 0);
        CHECK_INT(turn(w.s, "one more", "there"), ERR_NONE);
        turns[who] = w.s->turns;
        session_leave(w.s);
        fake_reap();
    }
    session_stats(t, &st);
    CHECK_INT(lost, 0);
    CHECK_INT(rejected, 0);
    CHECK(st.resident <= 20);
    CHECK(st.woken > 100);
    session_table_free(&t);
}

/* The store has no memory to take a write: nothing has happened, and later it does. */
static const struct tap_case cases[] = {
    {"idle ones hibernate", test_idle_ones_hibernate},
    {"room is made before rejecting", test_room_is_made_before_rejecting},
    {"pressure hibernates the coldest", test_pressure_hibernates},
    {"small ones are packed at once", test_small_ones_are_packed_at_once},
    {"idle ones are packed", test_idle_ones_are_packed},
    {"ten times more sessions than fit", test_ten_times_more_than_fit},
};

SEALED_MAIN(cases)
