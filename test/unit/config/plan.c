/* Does it fit, how many do, and is the advice of the error itself a plan that fits. */
#include "config/plan.c"
#include "unit/tap.h"

#include <stdlib.h>

#define MB(n) ((uint64_t)((n)*1048576.0))

static struct err e;

static int plan(uint64_t sessions, double budget, double threshold, double limit,
                double footprint, bool chosen, uint64_t *ret)
{
    struct config_plan p = {sessions, MB(budget), threshold, MB(limit), MB(footprint), chosen};

    e = (struct err){0};
    return config_plan(&p, ret, &e);
}

static void fits(void)
{
    uint64_t n = 0;

    CHECK_INT(plan(50, 50, 0.8, 4096, 15, true, &n), 0);
    CHECK_INT(n, 50);
    CHECK_INT(plan(10, 10, 0.5, 400, 100, true, &n), 0); /* exactly */
    CHECK_INT(n, 10);
    CHECK_INT(plan(10, 10, 0.5, 399, 100, true, &n), -1);
}

static void adapts(void)
{
    uint64_t n = 0;

    CHECK_INT(plan(50, 50, 0.8, 1024, 15, false, &n), 0);
    CHECK_INT(n, 16);
    CHECK_INT(plan(50, 50, 0.8, 64, 15, false, &n), -1);
    CHECK_INT(n, 16); /* untouched on failure */
    CHECK(strstr(e.msg, "what fits: 0.72 MiB each, or 3144 MiB of memory"));
}

static void says_why(void)
{
    uint64_t n = 7;

    CHECK_INT(plan(50, 50, 0.8, 2048, 15, true, &n), -1);
    CHECK_INT(e.code, ERR_CONFIG);
    CHECK_INT(n, 7);
    CHECK_STR(e.msg,
              "MAYA_SESSIONS_PER_CONTAINER 50 x MAYA_DEFAULT_SESSION_MEMORY_MB 50 = 2500 MiB "
              "is over 0.8 x 2048 - 15 (the process) = 1623.4; what fits: 32 sessions, "
              "or 32.46 MiB each, or 3144 MiB of memory");
}

static void footprint_above_all(void)
{
    uint64_t n = 0;

    CHECK_INT(plan(1, 1, 0.5, 64, 40, true, &n), -1);
    CHECK(strstr(e.msg, "over 0.5 x 64 - 40 (the process) = -8; what fits: 82 MiB of memory"));
}

static void longest(void)
{
    uint64_t n = 0;

    CHECK_INT(plan(10000000, 65535.99, 0.9499, 999999.99, 99.99, true, &n), -1);
    CHECK(strlen(e.msg) < sizeof(e.msg) - 1);
    CHECK(strstr(e.msg, "MiB of memory"));
}

/* For many plans that do not fit: each of the three numbers named makes one that does. */
static void advice_holds(void)
{
    static const double budgets[] = {0.25, 1, 3.3, 50, 512}, limits[] = {64, 500, 2048, 7777};
    static const uint64_t sessions[] = {1, 3, 50, 999, 100000};
    uint64_t n;
    int refused = 0;

    for (size_t b = 0; b < ARRAY_LEN(budgets); b++) {
        for (size_t l = 0; l < ARRAY_LEN(limits) * ARRAY_LEN(sessions); l++) {
            uint64_t s = sessions[l / ARRAY_LEN(limits)];
            double limit = limits[l % ARRAY_LEN(limits)], less, more;
            char *at;
            if (plan(s, budgets[b], 0.8, limit, 12.5, true, &n) == 0)
                continue;
            refused++;
            char *text = strstr(e.msg, "what fits: ");
            CHECK(text != NULL);
            text += strlen("what fits: ");
            unsigned long long fewer = strtoull(text, &at, 10);
            struct err said = e;
            if (strncmp(at, " session", 8) == 0) {
                CHECK_INT(plan(fewer, budgets[b], 0.8, limit, 12.5, true, &n), 0);
                CHECK_INT(plan(fewer + 1, budgets[b], 0.8, limit, 12.5, true, &n), -1);
            }
            if ((at = strstr(said.msg, " MiB each"))) {
                while (at[-1] != ' ')
                    at--;
                less = strtod(at, NULL);
                CHECK_INT(plan(s, less, 0.8, limit, 12.5, true, &n), 0);
            }
            at = strstr(said.msg, " MiB of memory");
            CHECK(at != NULL);
            while (at[-1] != ' ')
                at--;
            more = strtod(at, NULL);
            CHECK_INT(plan(s, budgets[b], 0.8, more, 12.5, true, &n), 0);
            CHECK_INT(plan(s, budgets[b], 0.8, more - 2, 12.5, true, &n), -1);
        }
    }
    CHECK(refused > 40);
}

static const struct tap_case cases[] = {
    {"what fits", fits},
    {"defaults adapt to the machine", adapts},
    {"the arithmetic is said", says_why},
    {"a process larger than its share", footprint_above_all},
    {"the longest sentence is whole", longest},
    {"the advice holds", advice_holds},
};

TAP_MAIN(cases)
