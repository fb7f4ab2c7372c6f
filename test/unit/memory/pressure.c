#include "memory/pressure.c"
#include "unit/tap.h"

#include <stdlib.h>
#include <string.h>

static struct memory_sample at(uint64_t used)
{
    return (struct memory_sample){.limit = 1000, .used = used, .known = true};
}

static bool update(struct pressure *p, uint64_t used, int64_t now_ms)
{
    struct memory_sample s = at(used);

    return pressure_update(p, &s, now_ms);
}

static enum pressure_rung at_rung(struct pressure *p, uint64_t used, int64_t now_ms)
{
    update(p, used, now_ms);
    return p->rung;
}

/* Threshold 0.8: shed at 720 and a bit, hibernate at 760, refuse at 800, unhealthy at 900. */
static void up_the_ladder_in_order(void)
{
    struct pressure p;

    pressure_init(&p, 0.8);
    CHECK_INT(at_rung(&p, 719, 1), PRESSURE_NONE);
    CHECK_INT(at_rung(&p, 721, 2), PRESSURE_SHED);
    CHECK_INT(at_rung(&p, 759, 3), PRESSURE_SHED);
    CHECK_INT(at_rung(&p, 760, 4), PRESSURE_HIBERNATE);
    CHECK_INT(at_rung(&p, 799, 5), PRESSURE_HIBERNATE);
    CHECK_INT(p.times, 0);
    CHECK(update(&p, 800, 6));
    CHECK_INT(p.rung, PRESSURE_REFUSE);
    CHECK_INT(p.since_ms, 6);
    CHECK_INT(p.times, 1);
    CHECK(!update(&p, 899, 7));
    CHECK_INT(at_rung(&p, 900, 8), PRESSURE_UNHEALTHY);
    CHECK_INT(p.times, 1);
    for (int r = PRESSURE_SHED; r < PRESSURE__COUNT; r++)
        CHECK_INT(p.climbed[r], 1);
}

static void down_each_rung_five_points_lower(void)
{
    struct pressure p;

    pressure_init(&p, 0.8);
    CHECK_INT(at_rung(&p, 900, 1), PRESSURE_UNHEALTHY);
    CHECK_INT(at_rung(&p, 850, 2), PRESSURE_UNHEALTHY);
    CHECK_INT(at_rung(&p, 849, 3), PRESSURE_REFUSE);
    CHECK_INT(at_rung(&p, 750, 4), PRESSURE_REFUSE);
    CHECK_INT(at_rung(&p, 749, 5), PRESSURE_HIBERNATE);
    CHECK_INT(at_rung(&p, 710, 6), PRESSURE_HIBERNATE);
    CHECK_INT(at_rung(&p, 709, 7), PRESSURE_SHED);
    CHECK_INT(at_rung(&p, 670, 8), PRESSURE_SHED);
    CHECK_INT(at_rung(&p, 669, 9), PRESSURE_NONE);
    CHECK_INT(at_rung(&p, 719, 10), PRESSURE_NONE); /* up again only where it begins */
    CHECK_INT(at_rung(&p, 800, 11), PRESSURE_REFUSE);
    CHECK_INT(p.times, 2);
}

static void refusing_for_long_is_unhealthy(void)
{
    struct pressure p;

    pressure_init(&p, 0.8);
    CHECK_INT(at_rung(&p, 810, 1000), PRESSURE_REFUSE);
    CHECK_INT(at_rung(&p, 810, 10999), PRESSURE_REFUSE);
    CHECK_INT(at_rung(&p, 810, 11000), PRESSURE_UNHEALTHY);
    CHECK_INT(at_rung(&p, 760, 12000), PRESSURE_UNHEALTHY);
    CHECK_INT(at_rung(&p, 740, 13000), PRESSURE_HIBERNATE);
    CHECK_INT(at_rung(&p, 810, 14000), PRESSURE_REFUSE); /* its time begins anew */
    CHECK_INT(at_rung(&p, 810, 23999), PRESSURE_REFUSE);
}

static void excess_is_what_has_to_go(void)
{
    struct pressure p;
    struct memory_sample s = at(800);

    pressure_init(&p, 0.8);
    CHECK_INT(pressure_excess(&p, &s), 90);
    s.used = 700;
    CHECK_INT(pressure_excess(&p, &s), 0);
    CHECK_INT(pressure_edge(&p, PRESSURE_SHED, 1000), 720);
    CHECK_INT(pressure_edge(&p, PRESSURE_REFUSE, 1000), 800);
}

static void asking_changes_nothing(void)
{
    struct pressure p;
    struct memory_sample s = at(800);

    pressure_init(&p, 0.8);
    CHECK_INT(pressure_reached(&p, &s), PRESSURE_REFUSE);
    CHECK_INT(p.rung, PRESSURE_NONE);
    CHECK_INT(p.times, 0);
}

static void it_does_not_latch(void)
{
    struct pressure p;

    pressure_init(&p, 0.1);
    CHECK(update(&p, UINT64_MAX, 1));
    CHECK(update(&p, 0, 2));
    CHECK_INT(p.rung, PRESSURE_NONE);
}

static void an_unknown_sample_is_no_pressure(void)
{
    struct pressure p;
    struct memory_sample s = at(1000), none = {.limit = 1000, .used = 0};

    pressure_init(&p, 0.8);
    CHECK(pressure_update(&p, &s, 1));
    CHECK(pressure_update(&p, &none, 2));
    CHECK_INT(p.rung, PRESSURE_NONE);
    s.limit = 0;
    CHECK(!pressure_update(&p, &s, 3));
}

static void every_rung_has_a_label(void)
{
    for (int r = 0; r < PRESSURE__COUNT; r++)
        CHECK(strcmp(pressure_label((enum pressure_rung)r), "unknown") != 0);
    CHECK_STR(pressure_label(PRESSURE__COUNT), "unknown");
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
    {"up the ladder in order", up_the_ladder_in_order},
    {"down each rung five points lower", down_each_rung_five_points_lower},
    {"refusing for long is unhealthy", refusing_for_long_is_unhealthy},
    {"excess is what has to go", excess_is_what_has_to_go},
    {"asking changes nothing", asking_changes_nothing},
    {"every rung has a label", every_rung_has_a_label},
    {"it does not latch", it_does_not_latch},
    {"an unknown sample is no pressure", an_unknown_sample_is_no_pressure},
    {"trim is harmless", trim_is_harmless},
};

TAP_MAIN(cases)
