/* When a container that hangs is to be killed, and that no other of its app is on its way. */
#include "fleet/keeper_hung.c"
#include "unit/tap.h"

#define NOW 100000
#define RETRIES 3
#define LIMIT 12000

static struct patient down(const char *app, unsigned bad, int64_t for_ms)
{
    struct patient p = {.bad = bad, .down_ms = NOW - for_ms, .limit_ms = LIMIT, .here = true};

    str_copy(p.app, sizeof(p.app), app);
    return p;
}

static void bad_answers_and_time(void)
{
    struct patient p = down("bar", RETRIES, LIMIT);
    struct hung h = {.at = &p, .count = 1};

    CHECK(is_due(&h, &p, RETRIES, NOW));
    CHECK(!is_due(&h, &p, RETRIES, NOW - 1));
    CHECK(!is_due(&h, &p, RETRIES + 1, NOW));
    p.bad = RETRIES - 1;
    CHECK(!is_due(&h, &p, RETRIES, NOW + 10 * LIMIT));
}

static void one_of_an_app_at_a_time(void)
{
    struct patient p[] = {down("bar", RETRIES, LIMIT), down("bar", RETRIES, LIMIT),
                          down("other", RETRIES, LIMIT)};
    struct hung h = {.at = p, .count = 3};

    p[0].killed_ms = NOW;
    CHECK(!is_due(&h, &p[1], RETRIES, NOW));
    CHECK(is_due(&h, &p[2], RETRIES, NOW));
    CHECK(!is_due(&h, &p[1], RETRIES, NOW + 2 * LIMIT)); /* it does not go */
    p[0].here = false;
    CHECK(!is_due(&h, &p[1], RETRIES, NOW + LIMIT - 1)); /* another one gets its time */
    CHECK(is_due(&h, &p[1], RETRIES, NOW + LIMIT));
}

static const struct tap_case cases[] = {
    {"bad answers in a row, and long enough", bad_answers_and_time},
    {"one of an app at a time", one_of_an_app_at_a_time},
};
TAP_MAIN(cases)
