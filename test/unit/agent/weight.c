/*
 * What a session weighs, after an evening of ten turns with the house mind: the runtime's own
 * part of an idle one is bounded, nothing is left of a hibernated one, and no message, however
 * long, lifts one over its budget.
 */
#include "bench/weight.h"

#define SESSIONS 200
#define TURNS 10

/* Bytes charged to an idle session beyond what was said, ordered and chosen. */
#define OVERHEAD_MOST 1024

static struct world world;

static void begin(size_t budget)
{
    const struct world_cfg cfg = {
        .budget = budget, .max_resident = 2 * SESSIONS, .hibernate_s = 300};

    world_open(&world, &cfg, access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp",
               "agents/maya");
}

static struct session_stats stats(void)
{
    struct session_stats st;

    session_stats(world.table, &st);
    return st;
}

static void an_idle_one_is_its_data_and_little_more(void)
{
    begin((size_t)1 << 20);
    weight_talk(&world, 0, SESSIONS, TURNS);
    weight_rest(&world, 60);
    CHECK_INT(stats().resident, SESSIONS); /* at rest, and awake */
    struct weight w = weight_look(&world, SESSIONS);
    CHECK(w.data > SESSIONS * 1000); /* an evening, not a greeting */
    if ((w.used - w.data) / SESSIONS > OVERHEAD_MOST)
        printf("# %llu struct, %llu messages, %llu spare lines, %llu chunks\n",
               (unsigned long long)w.structs / SESSIONS,
               (unsigned long long)w.messages / SESSIONS,
               (unsigned long long)w.spare_lines / SESSIONS,
               (unsigned long long)w.chunks / SESSIONS);
    CHECK((w.used - w.data) / SESSIONS <= OVERHEAD_MOST);
    CHECK_INT(w.used, stats().used);
    world_close(&world);
}

static void one_that_hibernates_leaves_nothing(void)
{
    begin((size_t)1 << 20);
    weight_talk(&world, 0, SESSIONS, TURNS);
    struct weight before = weight_look(&world, SESSIONS);
    world_hibernate(&world, 300);
    CHECK_INT(stats().resident, 0);
    CHECK_INT(stats().used, 0);
    struct weight after = weight_look(&world, SESSIONS); /* wakes them */
    CHECK_INT(after.data, before.data);
    CHECK_INT(stats().woken, SESSIONS);
    world_close(&world);
}

static void none_ever_passes_its_budget(void)
{
    const size_t budget = (size_t)64 * 1024;
    struct glutton g = {0};

    begin(budget);
    for (size_t i = 0; i < 400; i++)
        glutton_say(&world, &g, 1 + i * 7919 % (2 * budget));
    struct budget b = glutton_budget(&world);
    CHECK(g.done > 0 && g.refused > g.done);
    CHECK_INT(b.limit, budget);
    CHECK(b.peak > budget / 2); /* it came near */
    CHECK(b.peak <= budget);
    world_close(&world);
}

static const struct tap_case cases[] = {
    {"an idle session is its data and little more", an_idle_one_is_its_data_and_little_more},
    {"a session that hibernates leaves nothing", one_that_hibernates_leaves_nothing},
    {"no message lifts a session over its budget", none_ever_passes_its_budget},
};

TAP_MAIN(cases)
