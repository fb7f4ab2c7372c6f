#include "fleet/canary.c"
#include "unit/tap.h"

#include <string.h>

static const struct canary_rule rule = {
    .sample = 100, .ended = 3, .step_s = 60, .limit_s = 900};
static char why[CANARY_WHY_MAX];

static enum canary_verdict judge(const struct canary_seen *it, const struct canary_seen *stable,
                                 int64_t seconds)
{
    return canary__judge(&rule, it, stable, seconds, why);
}

static void waits_for_time_and_sample(void)
{
    struct canary_seen stable = {.requests = 5000}, it = {.requests = 99};

    CHECK_INT(judge(&it, &stable, 60), CANARY_WAIT);
    it.requests = 100;
    CHECK_INT(judge(&it, &stable, 59), CANARY_WAIT);
    CHECK_INT(judge(&it, &stable, 60), CANARY_GOOD);
    CHECK_STR(why, "");
}

static void too_few_in_all_the_time(void)
{
    struct canary_seen stable = {.requests = 5000}, it = {.requests = 7};

    CHECK_INT(judge(&it, &stable, 899), CANARY_WAIT);
    CHECK_INT(judge(&it, &stable, 900), CANARY_BAD);
    CHECK(strstr(why, "7 requests within 900 s are too few"));
}

static void errors_of_its_own(void)
{
    struct canary_seen stable = {.requests = 2000, .errors = 2}, it = {.requests = 10};

    for (it.errors = 0; it.errors < 5; it.errors++)
        CHECK_INT(judge(&it, &stable, 1), CANARY_WAIT); /* a few prove nothing */
    CHECK_INT(judge(&it, &stable, 1), CANARY_BAD);
    CHECK(strstr(why, "50.0 % of its answers were errors, 0.1 % of the others"));
}

/* As of a version that serves: it is well at the end of its time, if it answers then. */
static void none_that_answers(void)
{
    const struct canary_rule watched = {
        .ended = 1, .down_s = 5, .step_s = 20, .limit_s = INT64_MAX};
    struct canary_seen nobody = {0}, it = {.down_s = 4, .doubted = true};

    CHECK_INT(canary__judge(&watched, &it, &nobody, 3, why), CANARY_WAIT);
    CHECK_INT(canary__judge(&watched, &it, &nobody, 20, why), CANARY_WAIT);
    CHECK_INT(canary__judge(&watched, &it, &nobody, 1000, why), CANARY_WAIT);
    it.down_s = 5;
    CHECK_INT(canary__judge(&watched, &it, &nobody, 3, why), CANARY_BAD);
    CHECK_STR(why, "none of its containers was ready for 5 s");
    it = (struct canary_seen){0};
    CHECK_INT(canary__judge(&watched, &it, &nobody, 19, why), CANARY_WAIT);
    CHECK_INT(canary__judge(&watched, &it, &nobody, 20, why), CANARY_GOOD);
    it.down_s = 1000; /* a canary is not judged by that: the others take what it does not */
    CHECK_INT(judge(&it, &nobody, 1), CANARY_WAIT);
}

/* Where all suffer, it is not the canary's fault. */
static void errors_of_all(void)
{
    struct canary_seen stable = {.requests = 2000, .errors = 400},
                       it = {.requests = 200, .errors = 44};

    CHECK_INT(judge(&it, &stable, 60), CANARY_GOOD);
    it.errors = 90;
    CHECK_INT(judge(&it, &stable, 60), CANARY_BAD);
}

static void nobody_to_compare_with(void)
{
    struct canary_seen stable = {0}, it = {.requests = 100, .errors = 20};

    CHECK_INT(judge(&it, &stable, 60), CANARY_GOOD);
    it.errors = 60;
    CHECK_INT(judge(&it, &stable, 60), CANARY_BAD);
}

static void sessions_that_it_cannot_read(void)
{
    struct canary_seen stable = {.requests = 100}, it = {.requests = 10, .unreadable = 1};

    CHECK_INT(judge(&it, &stable, 1), CANARY_BAD);
    CHECK(strstr(why, "stored sessions could not be read"));
    stable.unreadable = 20; /* the same ones that the stable version cannot read */
    CHECK_INT(judge(&it, &stable, 1), CANARY_WAIT);
}

static void rejections_and_ends(void)
{
    struct canary_seen stable = {.requests = 1000}, it = {.requests = 100, .rejected = 30};

    CHECK_INT(judge(&it, &stable, 1), CANARY_BAD);
    CHECK(strstr(why, "refused 30 sessions"));
    it = (struct canary_seen){.requests = 100, .ended = 3};
    CHECK_INT(judge(&it, &stable, 1), CANARY_BAD);
    CHECK_STR(why, "its containers ended 3 times, 0 of them killed");
    stable.ended = 3;
    CHECK_INT(judge(&it, &stable, 1), CANARY_WAIT);
}

/* Once is enough, where the stable version's live. */
static void killed_for_memory(void)
{
    struct canary_seen stable = {.requests = 1000},
                       it = {.requests = 100, .ended = 1, .killed = 1};

    CHECK_INT(judge(&it, &stable, 1), CANARY_BAD);
    CHECK_STR(why, "1 of its containers was killed, as for memory (exit code 137)");
    stable.killed = stable.ended = 1;
    CHECK_INT(judge(&it, &stable, 1), CANARY_WAIT);
    it.killed = 0; /* one that ends otherwise may have been chance */
    stable.killed = stable.ended = 0;
    CHECK_INT(judge(&it, &stable, 1), CANARY_WAIT);
}

static void grows_though_nobody_holds_it(void)
{
    struct canary_seen stable = {.requests = 1000, .grew = 10 << 20},
                       it = {.requests = 100, .grew = 52 << 20};

    CHECK_INT(judge(&it, &stable, 1), CANARY_WAIT); /* twice the stable one's and 32 MiB */
    it.grew++;
    CHECK_INT(judge(&it, &stable, 1), CANARY_BAD);
    CHECK_STR(why, "it grew by 52 MiB that no session holds, the others by 10 MiB");
}

static void late_first_words(void)
{
    struct canary_seen stable = {
        .requests = 1000, .buckets = 4, .bounds = {0.1, 0.5, 2, INFINITY}};
    struct canary_seen it = stable;

    stable.words[0] = 95;
    stable.words[2] = 5;
    it.words[2] = 19;
    CHECK_INT(judge(&it, &stable, 60), CANARY_GOOD); /* too few to say */
    it.words[2] = 20;
    CHECK_INT(judge(&it, &stable, 60), CANARY_BAD);
    CHECK(strstr(why, "within 2 s, the others' within 0.1 s"));
    it.words[0] = 200; /* nine of ten are quick */
    CHECK_INT(judge(&it, &stable, 60), CANARY_GOOD);
    CHECK(canary__first_word_s(&(struct canary_seen){0}, 0.9) < 0);
}

static void steps(void)
{
    CHECK_INT(canary__next_weight(5), 25);
    CHECK_INT(canary__next_weight(25), 50);
    CHECK_INT(canary__next_weight(30), 50);
    CHECK_INT(canary__next_weight(50), 100);
    CHECK_INT(canary__next_weight(99), 100);
}

static const struct tap_case cases[] = {
    {"a container that is killed for memory", killed_for_memory},
    {"memory that no session holds", grows_though_nobody_holds_it},
    {"waits for time and sample", waits_for_time_and_sample},
    {"too few in all the time is bad", too_few_in_all_the_time},
    {"errors of its own", errors_of_its_own},
    {"errors that all have", errors_of_all},
    {"nobody to compare with", nobody_to_compare_with},
    {"sessions that it cannot read", sessions_that_it_cannot_read},
    {"rejections, and containers that end", rejections_and_ends},
    {"none that answers", none_that_answers},
    {"late first words", late_first_words},
    {"steps", steps},
};
TAP_MAIN(cases)
