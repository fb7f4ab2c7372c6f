#include "ops/ops_int.h"

#include "base/log.h"

#include <string.h>
#include <unistd.h>

static bool under_pressure(const struct ops *o)
{
    return o->pressure.rung >= PRESSURE_UNHEALTHY;
}

static bool store_fails(const struct ops *o)
{
    struct store_stats s;

    store_stats(o->cfg.store, &s);
    return !s.healthy;
}

static bool agent_unreadable(const struct ops *o)
{
    return access(o->cfg.agent_folder, R_OK | X_OK) != 0;
}

static const struct {
    bool (*fails)(const struct ops *o);
    const char *label;
    const char *text;
} checks[OPS_CHECK__COUNT] = {
#define OPS_CHECK(name, function, label, text) [OPS_CHECK_##name] = {function, label, text},
#include "ops/check.def"
#undef OPS_CHECK
};

const char *ops__check_label(enum ops_check c)
{
    return checks[c].label;
}

void ops__check(struct ops *o)
{
    for (unsigned i = 0; i < OPS_CHECK__COUNT; i++) {
        bool failed = checks[i].fails(o);
        if (failed == o->failed[i])
            continue;
        o->failed[i] = failed;
        log_event(failed ? LOG_WARN : LOG_INFO, "ops", failed ? "unhealthy" : "healthy_again",
                  "check=%s text=\"%s\"", checks[i].label, checks[i].text);
    }
}

int ops_health(struct ops *o, int64_t now_s, struct buf *json)
{
    bool healthy = true;

    for (unsigned i = 0; i < OPS_CHECK__COUNT; i++)
        healthy = healthy && !o->failed[i];
    buf_printf(json, "{\"status\":\"%s\",\"checks\":[", healthy ? "healthy" : "unhealthy");
    const char *comma = "";
    for (unsigned i = 0; i < OPS_CHECK__COUNT; i++) {
        if (!o->failed[i])
            continue;
        buf_printf(json, "%s\"%s\"", comma, checks[i].text);
        comma = ",";
    }
    buf_str(json, "],\"timestamp\":\"");
    buf_time(json, now_s);
    buf_str(json, "\"}");
    return healthy ? 200 : 503;
}

int ops_ready(struct ops *o, struct buf *json)
{
    bool draining = !o->http || http_server_draining(o->http);

    buf_str(json, draining ? "{\"status\":\"draining\"}" : "{\"status\":\"ready\"}");
    return draining ? 503 : 200;
}
