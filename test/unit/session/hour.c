/* An hour with ten times more sessions than fit: hour.h says what is compared with what. */
#include "unit/session/hour.h"

#include "base/log.h"

static struct hour_cfg an_hour(enum session_policy policy)
{
    return (struct hour_cfg){
        .hot = 50,
        .cold = 6000,
        .hot_every_s = 20,
        .cold_per_s = 4,
        .seconds = 3600,
        .hibernate_s = 60,
        .expiry_s = 1800,
        .policy = policy,
        .budget = (size_t)64 * 1024,
        .footprint = (uint64_t)1024 * 1024,
        .limit =
            policy == SESSION_MEASURED ? (uint64_t)7 * 512 * 1024 : (uint64_t)18 * 1024 * 1024,
        .folder = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp",
    };
}

static void tell(const struct hour_result *r)
{
    printf("# %llu turns, %llu refused; at most %llu alive, %llu resident, %llu KiB used; "
           "hibernated %llu idle, %llu for room, %llu under pressure; %llu expired\n",
           (unsigned long long)r->turns, (unsigned long long)r->refused,
           (unsigned long long)r->alive, (unsigned long long)r->peak_resident,
           (unsigned long long)r->peak_used / 1024,
           (unsigned long long)r->stats.ended[SESSION_END_IDLE],
           (unsigned long long)r->stats.ended[SESSION_END_ROOM],
           (unsigned long long)r->stats.ended[SESSION_END_PRESSURE],
           (unsigned long long)r->stats.expired);
}

static void fits(enum session_policy policy)
{
    struct hour_cfg cfg = an_hour(policy);
    struct hour_result r = hour_run(&cfg);

    tell(&r);
    CHECK_INT(r.lost, 0);
    CHECK_INT(r.over_limit, 0);
    CHECK_INT(r.refused, 0);
    CHECK(r.alive >= 10 * r.peak_resident);
    CHECK(r.stats.woken > 0 && r.stats.expired > 0);
}

static void does_not_fit(enum session_policy policy)
{
    struct hour_cfg cfg = an_hour(policy);

    cfg.seconds = 900;
    cfg.hot = 600;
    cfg.cold_per_s = 1;
    cfg.cold = 1000;
    struct hour_result r = hour_run(&cfg);
    tell(&r);
    CHECK_INT(r.lost, 0);
    CHECK_INT(r.over_limit, 0);
    CHECK(r.refused > 0);
}

static void measured_fits(void)
{
    fits(SESSION_MEASURED);
}

static void reserved_fits(void)
{
    fits(SESSION_RESERVED);
}

static void measured_does_not_fit(void)
{
    does_not_fit(SESSION_MEASURED);
}

static void reserved_does_not_fit(void)
{
    does_not_fit(SESSION_RESERVED);
}

static const struct tap_case cases[] = {
    {"ten times more sessions than fit, by budgets: nobody is refused", reserved_fits},
    {"ten times more sessions than fit, by bytes: nobody is refused", measured_fits},
    {"a hot set too large, by budgets: some are refused, nothing is lost",
     reserved_does_not_fit},
    {"a hot set too large, by bytes: some are refused, nothing is lost", measured_does_not_fit},
};

int main(void)
{
    log_setup(LOG_WARN, false);
    return tap_run(cases, (int)ARRAY_LEN(cases));
}
