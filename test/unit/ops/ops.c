#include "ops/ops.c"
#include "unit/ops/stubs.h"

static void admission_hears_the_newest_sample(void)
{
    struct ops *o = stub_begin();

    stub_sessions.used = 30000;
    ops_sample(o, 1000);
    CHECK_INT(stub_told.calls, 1);
    CHECK_INT(stub_told.sample.limit, 1000000);
    CHECK_INT(stub_told.sample.used, 100000);
    CHECK_INT(stub_told.footprint, 70000);
    CHECK(!stub_told.pressure);
    stub_sessions.used = 100001; /* charged, but not yet touched */
    ops_sample(o, 1250);
    CHECK_INT(stub_told.footprint, 0);
    stub_end(o);
}

static void pressure_comes_and_goes_and_is_logged_once(void)
{
    struct ops *o = stub_begin();

    ops_sample(o, 0);
    stub_memory(800000);
    for (int i = 1; i < 100; i++) {
        ops_sample(o, i * 250);
        CHECK(stub_told.pressure);
    }
    CHECK_INT(stub_logged("pressure_on"), 1);
    CHECK_INT(stub_logged("used=800000 limit=1000000 ratio=0.800 threshold=0.800"), 1);
    stub_memory(751000);
    ops_sample(o, 30000);
    CHECK(stub_told.pressure);
    stub_memory(749000);
    ops_sample(o, 30250);
    ops_sample(o, 30500);
    CHECK(!stub_told.pressure);
    CHECK_INT(stub_logged("pressure_off"), 1);
    CHECK_INT(o->pressure.times, 1);
    stub_end(o);
}

static void trimming_is_bounded(void)
{
    struct ops *o = stub_begin();

    ops_sample(o, 5);
    CHECK(o->trim_after_ms < 0); /* none without pressure */
    stub_memory(900000);
    ops_sample(o, 1000);
    CHECK_INT(o->trim_after_ms, 1000 + TRIM_EVERY_MS);
    ops_sample(o, 1000 + TRIM_EVERY_MS - 1);
    CHECK_INT(o->trim_after_ms, 1000 + TRIM_EVERY_MS);
    ops_sample(o, 1000 + TRIM_EVERY_MS);
    CHECK_INT(o->trim_after_ms, 1000 + 2 * TRIM_EVERY_MS);
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
    {"trimming is bounded", trimming_is_bounded},
    {"requests are counted by route and code", requests_are_counted_by_route_and_code},
    {"commits are timed", commits_are_timed},
};

TAP_MAIN(cases)
