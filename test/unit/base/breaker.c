#include "base/breaker.c"
#include "unit/tap.h"

static struct breaker b;

static void fail(int times, int64_t now)
{
    for (int i = 0; i < times; i++)
        breaker_bad(&b, now);
}

static void opens_after_failures_in_a_row(void)
{
    breaker_init(&b, 3, 1000, 4000);
    CHECK(breaker_try(&b, 0));
    fail(2, 0);
    breaker_good(&b);
    fail(2, 0);
    CHECK(breaker_try(&b, 0));
    fail(1, 0);
    CHECK(!breaker_try(&b, 0) && !breaker_try(&b, 999));
    CHECK_INT(breaker_state(&b, 999), BREAKER_OPEN);
    CHECK_INT(b.opened, 1);
}

static void one_tries_when_half_open(void)
{
    breaker_init(&b, 1, 1000, 4000);
    fail(1, 0);
    CHECK_INT(breaker_state(&b, 1000), BREAKER_HALF_OPEN);
    CHECK(breaker_try(&b, 1000) && !breaker_try(&b, 1000));
    breaker_dropped(&b);
    CHECK(breaker_try(&b, 1001));
    breaker_good(&b);
    CHECK_INT(breaker_state(&b, 1001), BREAKER_CLOSED);
    CHECK(breaker_try(&b, 1001) && breaker_try(&b, 1001));
}

static void waits_twice_as_long_each_time(void)
{
    int64_t now = 0;
    const int64_t waits[] = {1000, 2000, 4000, 4000};

    breaker_init(&b, 1, 1000, 4000);
    fail(1, now);
    for (int i = 0; i < 4; i++) {
        CHECK(!breaker_try(&b, now + waits[i] - 1));
        now += waits[i];
        CHECK(breaker_try(&b, now));
        fail(1, now);
    }
    CHECK_INT(b.opened, 5);
}

static void late_failures_do_not_prolong_it(void)
{
    breaker_init(&b, 2, 1000, 4000);
    fail(50, 0);
    CHECK_INT(b.opened, 1);
    CHECK(breaker_try(&b, 1000));
}

static void rests_when_asked_to(void)
{
    breaker_init(&b, 2, 1000, 4000);
    breaker_rest(&b, 700);
    breaker_rest(&b, 300);
    CHECK(!breaker_try(&b, 699));
    CHECK(breaker_try(&b, 700) && breaker_try(&b, 700));
    CHECK_INT(b.opened, 0);
    CHECK_STR(breaker_text(breaker_state(&b, 0)), "open");
}

static void pauses_grow_with_jitter(void)
{
    for (uint64_t seed = 0; seed < 1000; seed++) {
        int64_t first = breaker_pause_ms(1, 500, 8000, seed);
        int64_t third = breaker_pause_ms(3, 500, 8000, seed);
        CHECK(first >= 250 && first <= 500);
        CHECK(third >= 1000 && third <= 2000);
        CHECK(breaker_pause_ms(60, 500, 8000, seed) <= 8000);
    }
    CHECK(breaker_pause_ms(1, 500, 8000, 1) != breaker_pause_ms(1, 500, 8000, 2));
    CHECK_INT(breaker_pause_ms(1, 0, 0, 7), 0);
}

static const struct tap_case cases[] = {
    {"opens after failures in a row", opens_after_failures_in_a_row},
    {"one tries when half open", one_tries_when_half_open},
    {"waits twice as long each time", waits_twice_as_long_each_time},
    {"late failures do not prolong it", late_failures_do_not_prolong_it},
    {"rests when asked to", rests_when_asked_to},
    {"pauses grow with jitter", pauses_grow_with_jitter},
};
TAP_MAIN(cases)
