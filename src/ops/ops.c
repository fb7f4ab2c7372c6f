#include "ops/ops_int.h"

#include "base/alloc.h"
#include "base/log.h"

#include <stdlib.h>
#include <string.h>

#define TRIM_EVERY_MS 10000 /* walking a large heap takes a while */

struct ops *ops_new(const struct ops_cfg *cfg)
{
    struct ops *o = xalloc(sizeof(*o));

    o->cfg = *cfg;
    o->requests = xalloc((cfg->route_count + 1) * OPS_STATUS_MAX * sizeof(*o->requests));
    o->status[o->status_count++] = 200; /* every route has this series from the start */
    o->trim_after_ms = INT64_MIN;
    pressure_init(&o->pressure, cfg->threshold);
    histogram_init(&o->commit_seconds, histogram_seconds, histogram_seconds_count);
    return o;
}

void ops_free(struct ops **o)
{
    if (!*o)
        return;
    free((*o)->requests);
    free(*o);
    *o = NULL;
}

void ops_set_http(struct ops *o, const struct http_server *http)
{
    o->http = http;
}

static void log_pressure(const struct ops *o)
{
    const struct memory_sample *s = &o->sample;

    log_event(o->pressure.on ? LOG_WARN : LOG_INFO, "memory",
              o->pressure.on ? "pressure_on" : "pressure_off",
              "used=%llu limit=%llu ratio=%.3f threshold=%.3f limit_from=\"%s\" times=%llu",
              (unsigned long long)s->used, (unsigned long long)s->limit,
              (double)s->used / (double)s->limit, o->pressure.threshold,
              memory_source_text(s->limit_from), (unsigned long long)o->pressure.times);
}

void ops_sample(struct ops *o, int64_t now_ms)
{
    struct session_stats sessions;

    cgroup_sample(o->cfg.cgroup, &o->sample);
    if (pressure_update(&o->pressure, &o->sample, now_ms))
        log_pressure(o);
    /* What sessions gave back may still lie with the allocator; the kernel counts it as used.
     */
    if (o->pressure.on && now_ms >= o->trim_after_ms) {
        o->trim_after_ms = now_ms + TRIM_EVERY_MS;
        if (memory_trim())
            log_debug("memory", "trim", "used=%llu", (unsigned long long)o->sample.used);
    }
    session_stats(o->cfg.sessions, &sessions);
    uint64_t used = o->sample.used;
    session_table_memory(o->cfg.sessions, &o->sample,
                         used > sessions.used ? used - sessions.used : 0, o->pressure.on);
    ops__check(o);
}

static unsigned status_place(struct ops *o, int status)
{
    unsigned i = 0;

    while (i < o->status_count && o->status[i] != status)
        i++;
    if (i < o->status_count)
        return i;
    if (i == OPS_STATUS_MAX - 1)
        return i; /* "other", for ever: nobody else can take it */
    o->status[o->status_count++] = status;
    return i;
}

size_t ops__first_route(const struct ops *o, size_t route)
{
    while (route > 0 && strcmp(o->cfg.routes[route - 1], o->cfg.routes[route]) == 0)
        route--;
    return route;
}

void ops_count_request(struct ops *o, size_t route, int status)
{
    if (o->cfg.route_count == 0)
        return;
    if (route >= o->cfg.route_count)
        route = o->cfg.route_count - 1;
    route = ops__first_route(o, route);
    o->requests[route * OPS_STATUS_MAX + status_place(o, status)]++;
}

void ops_count_commit(void *ctx, uint64_t us, unsigned writes)
{
    struct ops *o = ctx;

    (void)writes;
    histogram_add(&o->commit_seconds, (double)us / 1e6);
}
