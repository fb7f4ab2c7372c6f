/* Days of an app, replayed: the number of containers follows what sessions have reserved. */
#include "fleet/keeper_scale.c"
#include "unit/tap.h"

#define LOOK_MS 500
#define ROOM 50 /* sessions of one unit each; 40 fill a container */

/* An app whose containers are there as soon as they are wanted, evenly filled. */
struct day {
    struct scale s;
    struct scale_rule r;
    struct scale_container at[64];
    int64_t now_ms;
    uint64_t requests, used;
    unsigned wanted, outs, ins, most, least;
    bool rollout, waits, silent;
};

static struct scale_decision step(struct day *d, bool talk)
{
    for (unsigned i = 0; i < d->wanted; i++)
        d->at[i] =
            (struct scale_container){.used = d->used / d->wanted + (i < d->used % d->wanted),
                                     .room = ROOM,
                                     .known = !d->silent};
    d->requests += talk;
    struct scale_seen seen = {.now_ms = d->now_ms,
                              .rollout = d->rollout,
                              .waits = d->waits,
                              .requests = d->requests,
                              .wanted = d->wanted,
                              .at = d->at,
                              .count = d->wanted};
    struct scale_decision x = keeper__scale(&d->s, &d->r, &seen);
    d->outs += x.what == SCALE_OUT;
    d->ins += x.what == SCALE_IN;
    CHECK(x.to <= d->r.max || x.what == SCALE_STAY || x.to == d->wanted - 1);
    CHECK(x.why != NULL);
    d->wanted = x.to;
    d->most = d->wanted > d->most ? d->wanted : d->most;
    d->least = d->wanted < d->least ? d->wanted : d->least;
    d->now_ms += LOOK_MS;
    return x;
}

static void pass(struct day *d, int64_t ms, bool talk)
{
    for (int64_t end = d->now_ms + ms; d->now_ms < end;)
        step(d, talk);
}

static struct day day_of(unsigned min, unsigned max, unsigned buffer, int64_t window_ms)
{
    return (struct day){
        .r = {min, max, buffer, window_ms}, .wanted = min, .least = 1000, .now_ms = 1000};
}

#define MINUTE 60000

/* Comes in the morning, goes at night: never too few, and each change once. */
static void test_a_day(void)
{
    struct day d = day_of(1, 10, 0, 5 * MINUTE);
    unsigned before;

    for (int minute = 0; minute < 24 * 60; minute++) {
        d.used = minute < 720 ? (uint64_t)minute / 3 : (uint64_t)(1440 - minute) / 3;
        before = d.wanted;
        pass(&d, MINUTE, true);
        CHECK(d.used <= (uint64_t)before * ROOM); /* whoever came had a place */
    }
    CHECK_INT(d.most, 6); /* 240 of 40 each */
    CHECK_INT(d.outs, 5);
    pass(&d, 40 * MINUTE, true);
    CHECK_INT(d.wanted, 1);
    CHECK_INT(d.ins, 5);
}

static void test_more_come_at_once(void)
{
    struct day d = day_of(1, 4, 0, 5 * MINUTE);

    pass(&d, MINUTE, true);
    d.used = 41;
    CHECK_INT(step(&d, true).what, SCALE_OUT);
    CHECK(d.wanted >= 2);
    d.used = 5000;
    step(&d, true);
    CHECK_INT(d.wanted, 4); /* never more than that */
}

static void test_a_rise_is_seen_coming(void)
{
    struct day d = day_of(1, 10, 0, 5 * MINUTE);
    uint64_t at = 0;

    for (int s = 0; s < 60 && d.wanted == 1; s++) {
        d.used = (uint64_t)s; /* one a second */
        at = d.used;
        pass(&d, 1000, true);
    }
    CHECK_INT(d.wanted, 2);
    CHECK(at < 40 && at >= 15); /* before it is full */
}

static void test_fewer_only_after_the_window(void)
{
    struct day d = day_of(1, 3, 0, 5 * MINUTE);

    d.used = 100;
    pass(&d, 6 * MINUTE, true);
    CHECK_INT(d.wanted, 3);
    d.used = 10;
    pass(&d, 4 * MINUTE, true);
    CHECK_INT(d.wanted, 3);
    d.used = 100; /* they are back: it begins again */
    pass(&d, MINUTE, true);
    d.used = 10;
    pass(&d, 4 * MINUTE + MINUTE / 2, true);
    CHECK_INT(d.wanted, 3);
    pass(&d, 2 * MINUTE, true);
    CHECK_INT(d.wanted, 1);
    CHECK_INT(d.ins, 2);
}

static void test_the_cheapest_goes(void)
{
    struct scale s = {0};
    const struct scale_rule r = {1, 4, 0, 2000};
    struct scale_container at[] = {
        {9, 50, 0, true}, {3, 50, 2, true}, {3, 50, 1, true}, {8, 50, 0, true}};
    struct scale_seen seen = {.now_ms = 1000, .wanted = 4, .at = at, .count = 4};

    CHECK_INT(keeper__scale(&s, &r, &seen).what, SCALE_STAY); /* nothing is known of before */
    seen.now_ms += 2500;
    struct scale_decision d = keeper__scale(&s, &r, &seen);
    CHECK_INT(d.what, SCALE_IN);
    CHECK_INT(d.to, 3);
    CHECK_INT(d.chosen, 2);
    CHECK_INT(d.used, 23);
    CHECK_INT(d.room, 50);
    seen.leaving = true;
    CHECK_INT(keeper__scale(&s, &r, &seen).what, SCALE_STAY);
    seen.leaving = false;
    at[3].known = false;
    CHECK_INT(keeper__scale(&s, &r, &seen).what, SCALE_STAY);
    at[3].known = true;
    seen.count = 3; /* one does not run */
    CHECK_INT(keeper__scale(&s, &r, &seen).what, SCALE_STAY);
}

static void test_never_in_a_rollout(void)
{
    struct day d = day_of(1, 4, 0, MINUTE);

    d.rollout = true;
    d.used = 100;
    pass(&d, 5 * MINUTE, true);
    CHECK_INT(d.wanted, 1);
    d.rollout = false;
    step(&d, true);
    CHECK_INT(d.wanted, 3);
    d.rollout = true;
    d.used = 0;
    pass(&d, 5 * MINUTE, true);
    CHECK_INT(d.wanted, 3);
}

static void test_a_buffer_while_somebody_is_there(void)
{
    struct day d = day_of(1, 5, 2, MINUTE);

    d.used = 10;
    pass(&d, MINUTE, true);
    CHECK_INT(d.wanted, 3);
    d.used = 0;
    pass(&d, 5 * MINUTE, false);
    CHECK_INT(d.wanted, 1);
}

static void test_to_zero_and_back(void)
{
    struct day d = day_of(0, 3, 0, MINUTE);

    d.wanted = 1;
    d.used = 5;
    pass(&d, 3 * MINUTE, true);
    CHECK_INT(d.wanted, 1);
    pass(&d, 3 * MINUTE, false); /* five sessions asleep in its memory keep nobody up */
    CHECK_INT(d.wanted, 0);
    d.used = 0;
    pass(&d, 10 * MINUTE, false);
    CHECK_INT(d.wanted, 0);
    d.waits = true;
    CHECK_INT(step(&d, false).what, SCALE_OUT);
    d.waits = false;
    d.used = 1;
    pass(&d, MINUTE / 2, true);
    CHECK_INT(d.wanted, 1);
}

static void test_a_smaller_most_is_kept(void)
{
    struct day d = day_of(1, 2, 0, MINUTE);

    d.wanted = 4;
    d.used = 190;
    step(&d, true);
    CHECK_INT(d.wanted, 3);
    step(&d, true);
    CHECK_INT(d.wanted, 2);
    pass(&d, 5 * MINUTE, true);
    CHECK_INT(d.wanted, 2);
}

static void test_silent_containers_change_nothing(void)
{
    struct day d = day_of(1, 5, 0, MINUTE);

    d.used = 100;
    pass(&d, MINUTE, true);
    CHECK_INT(d.wanted, 3);
    d.silent = true;
    pass(&d, 5 * MINUTE, true);
    CHECK_INT(d.wanted, 3);
}

static const struct tap_case cases[] = {
    {"a day", test_a_day},
    {"more come at once, up to the most", test_more_come_at_once},
    {"a rise is seen coming", test_a_rise_is_seen_coming},
    {"fewer only when fewer did for the whole window", test_fewer_only_after_the_window},
    {"the cheapest to empty goes, when all are known", test_the_cheapest_goes},
    {"nothing changes in a rollout", test_never_in_a_rollout},
    {"a buffer while somebody is there", test_a_buffer_while_somebody_is_there},
    {"to zero, and back when a request waits", test_to_zero_and_back},
    {"a smaller max_containers is kept to", test_a_smaller_most_is_kept},
    {"containers that say nothing change nothing", test_silent_containers_change_nothing},
};

TAP_MAIN(cases)
