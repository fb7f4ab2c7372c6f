/*
 * The hour of test/unit/session/hour.h in any size, on the disk to be measured:
 *
 *   hour reserved|measured FOLDER [hot=N] [cold=N] [hot_every_s=N] [cold_per_s=N] [seconds=N]
 *                                 [limit=BYTES]
 *
 * Prints "name value" lines for test/bench/hour.py.
 */
#include "unit/session/hour.h"

#include "bench/args.h"

int main(int argc, char **argv)
{
    if (argc < 3)
        bench_stop("usage", "hour reserved|measured FOLDER [name=N]");
    const struct hour_cfg cfg = {
        .hot = (uint32_t)bench_arg(argc, argv, "hot", 1000),
        .cold = (uint32_t)bench_arg(argc, argv, "cold", 60000),
        .hot_every_s = (uint32_t)bench_arg(argc, argv, "hot_every_s", 20),
        .cold_per_s = (uint32_t)bench_arg(argc, argv, "cold_per_s", 40),
        .seconds = (uint32_t)bench_arg(argc, argv, "seconds", 3600),
        .hibernate_s = 60,
        .expiry_s = 1800,
        .policy = strcmp(argv[1], "measured") == 0 ? SESSION_MEASURED : SESSION_RESERVED,
        .budget = (size_t)64 * 1024,
        .footprint = (uint64_t)8 << 20,
        .limit = (uint64_t)bench_arg(argc, argv, "limit", (int64_t)64 << 20),
        .folder = argv[2],
    };
    log_setup(LOG_WARN, false);
    struct hour_result r = hour_run(&cfg);
    const struct {
        const char *name;
        uint64_t value;
    } rows[] = {
        {"turns", r.turns},
        {"refused", r.refused},
        {"lost", r.lost},
        {"over_limit", r.over_limit},
        {"alive", r.alive},
        {"resident", r.peak_resident},
        {"used", r.peak_used},
        {"woken", r.stats.woken},
        {"expired", r.stats.expired},
        {"idle", r.stats.ended[SESSION_END_IDLE]},
        {"room", r.stats.ended[SESSION_END_ROOM]},
        {"pressed", r.stats.ended[SESSION_END_PRESSURE]},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        bench_tell(rows[i].name, "%llu", (unsigned long long)rows[i].value);
    return 0;
}
