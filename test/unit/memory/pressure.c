#include "memory/pressure.c"
#include "unit/tap.h"

#include <stdlib.h>

static struct memory_sample at(uint64_t used)
{
    return (struct memory_sample){.limit = 1000, .used = used, .known = true};
}

static bool update(struct pressure *p, uint64_t used, int64_t now_ms)
{
    struct memory_sample s = at(used);

    return pressure_update(p, &s, now_ms);
}

static void on_at_the_threshold(void)
{
    struct pressure p;

    pressure_init(&p, 0.8);
    CHECK(!p.on);
    CHECK(!update(&p, 799, 1));
    CHECK(!p.on);
    CHECK(update(&p, 800, 2));
    CHECK(p.on);
    CHECK_INT(p.since_ms, 2);
    CHECK_INT(p.times, 1);
    CHECK(!update(&p, 990, 3));
    CHECK_INT(p.times, 1);
    CHECK_INT(p.since_ms, 2);
}

static void off_only_five_points_lower(void)
{
    struct pressure p;

    pressure_init(&p, 0.8);
    CHECK(update(&p, 850, 1));
    for (int i = 0; i < 10; i++) {
        CHECK(!update(&p, 799, 2 + i));
        CHECK(!update(&p, 751, 2 + i));
        CHECK(p.on);
    }
    CHECK(update(&p, 749, 20));
    CHECK(!p.on);
    CHECK_INT(p.since_ms, 20);
    CHECK(!update(&p, 760, 21));
    CHECK(!p.on);
    CHECK(update(&p, 800, 22));
    CHECK_INT(p.times, 2);
}

static void it_does_not_latch(void)
{
    struct pressure p;

    pressure_init(&p, 0.1);
    CHECK(update(&p, UINT64_MAX, 1));
    CHECK(update(&p, 0, 2));
    CHECK(!p.on);
}

static void an_unknown_sample_is_no_pressure(void)
{
    struct pressure p;
    struct memory_sample s = at(1000), none = {.limit = 1000, .used = 0};

    pressure_init(&p, 0.8);
    CHECK(pressure_update(&p, &s, 1));
    CHECK(pressure_update(&p, &none, 2));
    CHECK(!p.on);
    s.limit = 0;
    CHECK(!pressure_update(&p, &s, 3));
}

static void trim_is_harmless(void)
{
    void *p = malloc(100);

    memory_trim();
    memory_trim();
    CHECK(p != NULL);
    free(p);
}

static const struct tap_case cases[] = {
    {"on at the threshold", on_at_the_threshold},
    {"off only five points lower", off_only_five_points_lower},
    {"it does not latch", it_does_not_latch},
    {"an unknown sample is no pressure", an_unknown_sample_is_no_pressure},
    {"trim is harmless", trim_is_harmless},
};

TAP_MAIN(cases)
