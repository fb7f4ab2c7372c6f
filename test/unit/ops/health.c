#include "ops/health.c"
#include "unit/ops/stubs.h"

#include <jansson.h>

#define AT 1708714500 /* 2024-02-23T18:55:00Z */

static const char *health(struct ops *o, int want_status)
{
    static char text[512];
    struct buf json = BUF_INIT;

    CHECK_INT(ops_health(o, AT, &json), want_status);
    snprintf(text, sizeof(text), "%s", buf_text(&json));
    buf_release(&json);
    json_t *v = json_loads(text, 0, NULL);
    CHECK(json_is_object(v) && json_object_size(v) == 3);
    json_decref(v);
    return text;
}

static void healthy_is_exactly_this(void)
{
    static const char want[] =
        "{\"status\":\"healthy\",\"checks\":[],\"timestamp\":\"2024-02-23T18:55:00Z\"}";
    struct ops *o = stub_begin();

    CHECK_STR(health(o, 200), want); /* before the first sample, too */
    ops_sample(o, 0, 0);
    CHECK_STR(health(o, 200), want);
    stub_end(o);
}

static void pressure_is_unhealthy_until_it_ends(void)
{
    struct ops *o = stub_begin();

    stub_memory(950000);
    ops_sample(o, 0, 0);
    CHECK_STR(health(o, 503),
              "{\"status\":\"unhealthy\",\"checks\":[\"Container memory pressure detected\"],"
              "\"timestamp\":\"2024-02-23T18:55:00Z\"}");
    stub_memory(100000);
    ops_sample(o, 250, 0);
    health(o, 200);
    stub_end(o);
}

static void every_check_fails_and_recovers(void)
{
    struct ops *o = stub_begin();
    char name[300];

    stub_store.healthy = false;
    ops_sample(o, 0, 0);
    CHECK(strstr(health(o, 503), "[\"Store is not writable\"]") != NULL);
    stub_memory(950000);
    snprintf(name, sizeof(name), "%s-moved", o->cfg.agent_folder);
    CHECK(rename(o->cfg.agent_folder, name) == 0);
    ops_sample(o, 250, 0);
    CHECK(strstr(health(o, 503), "[\"Container memory pressure detected\",\"Store is not "
                                 "writable\",\"Agent folder is not readable\"]") != NULL);
    stub_store.healthy = true;
    stub_memory(1);
    CHECK(rename(name, o->cfg.agent_folder) == 0);
    ops_sample(o, 500, 0);
    ops_sample(o, 750, 0);
    health(o, 200);
    CHECK_INT(stub_logged("unhealthy check="), 3); /* once for each */
    CHECK_INT(stub_logged("healthy_again"), 3);
    stub_end(o);
}

static void ready_until_it_drains(void)
{
    struct ops *o = stub_begin();
    struct buf json = BUF_INIT;

    CHECK_INT(ops_ready(o, &json), 200);
    CHECK_STR(buf_text(&json), "{\"status\":\"ready\"}");
    stub_draining = true;
    buf_clear(&json);
    CHECK_INT(ops_ready(o, &json), 503);
    CHECK_STR(buf_text(&json), "{\"status\":\"draining\"}");
    health(o, 200); /* a container that drains is not ill */
    stub_draining = false;
    ops_set_http(o, NULL);
    buf_clear(&json);
    CHECK_INT(ops_ready(o, &json), 503);
    buf_release(&json);
    stub_end(o);
}

static const struct tap_case cases[] = {
    {"healthy is exactly this", healthy_is_exactly_this},
    {"pressure is unhealthy until it ends", pressure_is_unhealthy_until_it_ends},
    {"every check fails and recovers", every_check_fails_and_recovers},
    {"ready until it drains", ready_until_it_drains},
};

TAP_MAIN(cases)
