#include "ops/ops.c"
#include "ops/relief.c"
#include "unit/ops/stubs.h"

static void admission_hears_the_newest_sample(void)
{
    struct ops *o = stub_begin();

    stub_sessions.used = 30000;
    ops_sample(o, 1000, 0);
    CHECK_INT(stub_told.calls, 1);
    CHECK_INT(stub_told.sample.limit, 1000000);
    CHECK_INT(stub_told.sample.used, 100000);
    CHECK_INT(stub_told.footprint, 70000);
    CHECK(!stub_told.refuse);
    stub_sessions.used = 100001; /* charged, but not yet touched */
    ops_sample(o, 1250, 0);
    CHECK_INT(stub_told.footprint, 0);
    stub_end(o);
}

static void pressure_comes_and_goes_and_is_logged_once(void)
{
    struct ops *o = stub_begin();

    ops_sample(o, 0, 0);
    stub_memory(800000);
    for (int i = 1; i < 40; i++) {
        ops_sample(o, i * 250, 0);
        CHECK(stub_told.refuse);
    }
    CHECK_INT(stub_logged("pressure_on"), 1);
    CHECK_INT(stub_logged("used=800000 limit=1000000 ratio=0.800 threshold=0.800"), 1);
    stub_memory(751000);
    ops_sample(o, 30000, 0);
    CHECK(stub_told.refuse);
    stub_memory(749000);
    ops_sample(o, 30250, 0);
    ops_sample(o, 30500, 0);
    CHECK(!stub_told.refuse);
    CHECK_INT(stub_logged("pressure_off"), 1);
    CHECK_INT(o->pressure.times, 1);
    stub_end(o);
}

static void the_ladder_is_climbed_in_order(void)
{
    struct ops *o = stub_begin();

    stub_memory(719000);
    ops_sample(o, 1000, 0);
    CHECK_INT(stub_did.shed, 0);
    stub_memory(730000); /* threshold 0.8: shed from 0.72 on */
    ops_sample(o, 1250, 0);
    CHECK_INT(o->pressure.rung, PRESSURE_SHED);
    CHECK_INT(stub_did.shed, 2); /* the store's and the sessions' */
    CHECK_INT(stub_did.hibernated, 0);
    stub_memory(770000);
    ops_sample(o, 1500, 0);
    CHECK_INT(o->pressure.rung, PRESSURE_HIBERNATE);
    CHECK_INT(stub_did.hibernated, 1);
    CHECK(!stub_told.refuse);
    stub_memory(810000);
    ops_sample(o, 1750, 0);
    CHECK_INT(stub_did.hibernated, 2);
    CHECK(stub_told.refuse);
    CHECK_INT(stub_did.shed, 2); /* not again so soon */
    ops_sample(o, 1250 + SHED_EVERY_MS, 0);
    CHECK_INT(stub_did.shed, 4);
    CHECK_INT(stub_did.urgent, 0);
    stub_memory(910000); /* half way to the limit, and it is not the sessions' doing */
    ops_sample(o, 1500 + SHED_EVERY_MS, 0);
    CHECK_INT(o->pressure.rung, PRESSURE_UNHEALTHY);
    CHECK_INT(stub_did.urgent, 0);
    stub_sessions.used = 50000; /* it is: nobody is spared for having talked just now */
    ops_sample(o, 1750 + SHED_EVERY_MS, 0);
    CHECK_INT(stub_did.urgent, 1);
    stub_memory(600000);
    ops_sample(o, 9000, 0);
    CHECK_INT(o->pressure.rung, PRESSURE_NONE);
    CHECK_INT(stub_logged("rung=shed_caches before=none"), 1);
    CHECK_INT(stub_logged("rung=hibernate before=shed_caches"), 1);
    CHECK_INT(stub_logged("pressure_on rung=refuse before=hibernate"), 1);
    CHECK_INT(stub_logged("pressure_off rung=none before=unhealthy"), 1);
    stub_end(o);
}

static unsigned anon_now;

static void gives_back(size_t bytes)
{
    stub_memory(anon_now -= (unsigned)bytes);
}

static void sessions_leave_before_anybody_is_refused(void)
{
    struct ops *o = stub_begin();

    stub_did.on_freed = gives_back;
    stub_sessions.used = 400000;
    stub_memory(anon_now = 850000);
    ops_sample(o, 1000, 0);
    CHECK_INT(stub_did.hibernated, 1);
    CHECK_INT(o->sample.used, 710000); /* looked at again: as much as was needed has gone */
    CHECK(!stub_told.refuse);
    CHECK_INT(o->pressure.times, 0);
    stub_end(o);
}

static void trimming_is_bounded(void)
{
    struct ops *o = stub_begin();

    ops_sample(o, 5, 0);
    CHECK_INT(o->trims, 0); /* nothing was given back */
    stub_memory(900000);
    ops_sample(o, 1000, 0);
    CHECK_INT(o->trims, 1);
    stub_sessions.used = 1000;
    ops_sample(o, 1000 + TRIM_EVERY_MS - 1, 0);
    CHECK_INT(o->trims, 1);
    stub_sessions.used = 1000;
    ops_sample(o, 1000 + TRIM_EVERY_MS, 0);
    CHECK_INT(o->trims, 2);
    stub_end(o);
}

static void much_given_back_is_trimmed_without_pressure(void)
{
    struct ops *o = stub_begin();

    stub_sessions.used = 4 * TRIM_WORTH;
    ops_sample(o, 1000, 0);
    stub_sessions.used -= TRIM_WORTH / 2;
    ops_sample(o, 3000, 0);
    CHECK_INT(o->trims, 0);
    stub_sessions.used -= TRIM_WORTH / 2;
    ops_sample(o, 5000, 0);
    CHECK_INT(o->trims, 1);
    ops_sample(o, 7000, 0);
    CHECK_INT(o->trims, 1);
    stub_end(o);
}

static void a_notice_samples_at_once(void)
{
    struct ops *o = stub_begin();

    ops_sample(o, 1000, 0);
    stub_memory(810000);
    ops_notice(o, 1001, 0); /* that was a moment ago */
    CHECK_INT(o->pressure.rung, PRESSURE_NONE);
    ops_notice(o, 1000 + NOTICE_MS, 0);
    CHECK_INT(o->pressure.rung, PRESSURE_REFUSE);
    CHECK_INT(o->notices, 2);
    stub_end(o);
}

static void an_oom_kill_is_said(void)
{
    struct ops *o = stub_begin();

    tree_file("/sys/fs/cgroup/a/memory.events", "oom 3\noom_kill 2\n");
    ops_sample(o, 1000, 0); /* from before our time */
    CHECK_INT(stub_logged("oom_kill"), 0);
    tree_file("/sys/fs/cgroup/a/memory.events", "oom 4\noom_kill 3\n");
    ops_sample(o, 1250, 0);
    ops_sample(o, 1500, 0);
    CHECK_INT(stub_logged("oom_kill processes=1"), 1);
    stub_end(o);
}

static void the_parts_add_up_to_what_the_kernel_counts(void)
{
    struct ops *o = stub_begin();
    uint64_t parts[OPS_PART__COUNT], sum = 0, own;
    char *hold = malloc(3 << 20);

    memset(hold, 1, 3 << 20);
    stub_sessions.used = 1 << 20;
    stub_sessions.index = 4096;
    stub_store.memory = 1 << 19;
    stub_store.queued_bytes = 1000;
    ops__parts(o, parts);
    own = process__own_bytes();
    for (int i = 0; i < OPS_PART__COUNT; i++)
        sum += parts[i];
    CHECK_INT(parts[OPS_PART_SESSIONS], 1 << 20);
    CHECK_INT(parts[OPS_PART_STORE], (1 << 19) + 1000);
    CHECK_INT(parts[OPS_PART_CONNECTIONS], 0); /* not serving */
    stub_http.bytes_conns = 700;
    stub_http.bytes_bodies = 80;
    stub_http.bytes_queued = 9;
    ops_set_http(o, stub_server);
    ops__parts(o, parts);
    CHECK_INT(parts[OPS_PART_CONNECTIONS], 700);
    CHECK_INT(parts[OPS_PART_BODIES], 80);
    CHECK_INT(parts[OPS_PART_QUEUED], 9);
    CHECK(sum > own - own / 8 && sum < own + own / 8);
    free(hold);
    stub_end(o);
}

static void requests_are_counted_by_route_and_code(void)
{
    struct ops *o = stub_begin();

    ops_count_request(o, 0, 200);
    ops_count_request(o, 0, 200);
    ops_count_request(o, 0, 503);
    ops_count_request(o, 1, 503);
    ops_count_request(o, 99, 404); /* no such route: the last one, "other" */
    CHECK_INT(o->status_count, 3);
    CHECK_INT(o->requests[0 * OPS_STATUS_MAX + 0], 2);
    CHECK_INT(o->requests[0 * OPS_STATUS_MAX + 1], 1);
    CHECK_INT(o->requests[1 * OPS_STATUS_MAX + 1], 1);
    CHECK_INT(o->requests[4 * OPS_STATUS_MAX + 2], 1);
    for (int status = 600; status < 700; status++)
        ops_count_request(o, 4, status);
    CHECK_INT(o->status_count, OPS_STATUS_MAX - 1);
    CHECK_INT(o->requests[4 * OPS_STATUS_MAX + OPS_STATUS_MAX - 1], 100 - (OPS_STATUS_MAX - 4));
    stub_end(o);
}

static void commits_are_timed(void)
{
    struct ops *o = stub_begin();

    ops_count_commit(o, 1500, 12);
    ops_count_commit(o, 900000, 1);
    CHECK_INT(o->commit_seconds.count, 2);
    CHECK(o->commit_seconds.sum > 0.9014 && o->commit_seconds.sum < 0.9016);
    stub_end(o);
}

static const struct tap_case cases[] = {
    {"admission hears the newest sample", admission_hears_the_newest_sample},
    {"pressure comes and goes and is logged once", pressure_comes_and_goes_and_is_logged_once},
    {"the ladder is climbed in order", the_ladder_is_climbed_in_order},
    {"sessions leave before anybody is refused", sessions_leave_before_anybody_is_refused},
    {"trimming is bounded", trimming_is_bounded},
    {"much given back is trimmed without pressure",
     much_given_back_is_trimmed_without_pressure},
    {"a notice samples at once", a_notice_samples_at_once},
    {"an OOM kill is said", an_oom_kill_is_said},
    {"the parts add up to what the kernel counts", the_parts_add_up_to_what_the_kernel_counts},
    {"requests are counted by route and code", requests_are_counted_by_route_and_code},
    {"commits are timed", commits_are_timed},
};

TAP_MAIN(cases)
