#include "ops/ops_int.h"

#include "base/alloc.h"
#include "base/log.h"

#include <stdlib.h>
#include <string.h>

#define NOTICE_MS 20 /* a kernel that says it again and again is heard this often */

struct ops *ops_new(const struct ops_cfg *cfg)
{
    struct ops *o = xalloc(sizeof(*o));

    o->cfg = *cfg;
    o->requests = xalloc((cfg->route_count + 1) * OPS_STATUS_MAX * sizeof(*o->requests));
    o->status[o->status_count++] = 200; /* every route has this series from the start */
    o->trim_after_ms = o->shed_after_ms = o->sampled_ms = INT64_MIN / 2;
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

static void log_rung(const struct ops *o, enum pressure_rung before)
{
    const struct memory_sample *s = &o->sample;
    enum pressure_rung now = o->pressure.rung;
    bool loud = now >= PRESSURE_REFUSE && now > before;
    const char *event = "pressure";

    if ((now >= PRESSURE_REFUSE) != (before >= PRESSURE_REFUSE))
        event = now > before ? "pressure_on" : "pressure_off";
    log_event(loud ? LOG_WARN : LOG_INFO, "memory", event,
              "rung=%s before=%s used=%llu limit=%llu ratio=%.3f threshold=%.3f "
              "limit_from=\"%s\" times=%llu",
              pressure_label(now), pressure_label(before), (unsigned long long)s->used,
              (unsigned long long)s->limit, (double)s->used / (double)s->limit,
              o->pressure.threshold, memory_source_text(s->limit_from),
              (unsigned long long)o->pressure.times);
}

static void take_sample(struct ops *o)
{
    uint64_t kills = o->sample.oom_kills;
    bool first = o->sample.limit == 0;

    cgroup_sample(o->cfg.cgroup, &o->sample);
    if (!first && o->sample.oom_kills > kills)
        log_warn("memory", "oom_kill", "processes=%llu used=%llu limit=%llu",
                 (unsigned long long)(o->sample.oom_kills - kills),
                 (unsigned long long)o->sample.used, (unsigned long long)o->sample.limit);
}

void ops_sample(struct ops *o, int64_t now_ms, int64_t now_s)
{
    enum pressure_rung before = o->pressure.rung;
    struct session_stats sessions;

    o->sampled_ms = now_ms;
    take_sample(o);
    if (ops__relieve(o, now_ms, now_s))
        take_sample(o);
    if (pressure_update(&o->pressure, &o->sample, now_ms))
        log_rung(o, before);
    session_stats(o->cfg.sessions, &sessions);
    uint64_t used = o->sample.used;
    session_table_memory(o->cfg.sessions, &o->sample,
                         used > sessions.used ? used - sessions.used : 0,
                         o->pressure.rung >= PRESSURE_REFUSE);
    ops__check(o);
}

void ops_notice(struct ops *o, int64_t now_ms, int64_t now_s)
{
    o->notices++;
    if (now_ms - o->sampled_ms >= NOTICE_MS)
        ops_sample(o, now_ms, now_s);
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

void ops_count_interruption(struct ops *o)
{
    o->interruptions++;
}

void ops_count_commit(void *ctx, uint64_t us, unsigned writes)
{
    struct ops *o = ctx;

    (void)writes;
    histogram_add(&o->commit_seconds, (double)us / 1e6);
}
