/*
 * Very many sessions in one store, each by a real turn of the house mind:
 *
 *   seed all DATA_DIR AGENT [sessions=N] [resident=N]
 *
 * DATA_DIR gets maya.db and master.key as `maya serve` has them. Session i is "sess_seed-<i>"
 * and has ordered 1 + i % 9 of one of the drinks, which test/bench/million.py looks for.
 */
#include "bench/world.h"

static struct world world;

static void order(uint64_t i)
{
    static const char *const drinks[] = {"ipa", "negroni", "old fashioned", "martini"};
    char id[64], text[64];

    snprintf(id, sizeof(id), "sess_seed-%011llu", (unsigned long long)i);
    snprintf(text, sizeof(text), "%u %s please", (unsigned)(1 + i % 9),
             drinks[i / 9 % ARRAY_LEN(drinks)]);
    world_say(&world, id, text);
}

int main(int argc, char **argv)
{
    if (argc < 4)
        bench_stop("usage", "seed all DATA_DIR AGENT [sessions=N] [resident=N]");
    uint64_t sessions = (uint64_t)bench_arg(argc, argv, "sessions", 1000000);
    uint64_t resident = (uint64_t)bench_arg(argc, argv, "resident", 20000);
    const struct world_cfg cfg = {
        .budget = (size_t)1 << 18, .max_resident = UINT32_MAX, .hibernate_s = 300};
    uint64_t began = world_ns();

    world = (struct world){.now_s = time(NULL), .owner.event = eventfd(0, EFD_CLOEXEC)};
    if (!realpath(argv[3], world.agent_folder))
        bench_stop("no agent folder", argv[3]);
    world.owner.path = xprintf("%s/maya.db", argv[2]);
    world_meet(&world, &cfg, argv[2]);
    for (uint64_t i = 0; i < sessions; i++) {
        order(i);
        if (i % resident == resident - 1) {
            world_wait(&world);
            int64_t now_s = world.now_s;
            world_hibernate(&world, cfg.hibernate_s);
            world.now_s = now_s; /* the rows must not lie in the future */
        }
    }
    world_wait(&world);
    world_part(&world);
    close(world.owner.event);
    free(world.owner.path);
    bench_tell("sessions", "%llu", (unsigned long long)sessions);
    bench_tell("seconds", "%.1f", (double)(world_ns() - began) / 1e9);
    return 0;
}
