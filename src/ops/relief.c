/*
 * The ladder's work, a bounded piece at every sample: shed caches, then let the coldest and
 * largest idle sessions leave memory, each before anybody is refused for want of memory; and
 * give back to the kernel what the allocator keeps of it.
 */
#include "ops/ops_int.h"

#include "base/log.h"

#define SHED_EVERY_MS 5000             /* a cache that was dropped has to fill first */
#define SHARE_WORTH 50                 /* sessions hold a 50th of the limit, or more */
#define TRIM_EVERY_MS 1000             /* walking a large heap takes a while */
#define TRIM_WORTH ((uint64_t)8 << 20) /* bytes that sessions gave back */

/* What sessions gave back may still lie with the allocator; the kernel counts it as used. */
static void trim(struct ops *o, int64_t now_ms)
{
    uint64_t before = process__own_bytes();

    o->trim_after_ms = now_ms + TRIM_EVERY_MS;
    o->freed = 0;
    o->trims++;
    memory_trim();
    uint64_t after = process__own_bytes();
    if (after < before) {
        o->returned += before - after;
        log_debug("memory", "trim", "returned=%llu process=%llu",
                  (unsigned long long)(before - after), (unsigned long long)after);
    }
}

static bool shed(struct ops *o, int64_t now_ms)
{
    if (now_ms < o->shed_after_ms)
        return false;
    o->shed_after_ms = now_ms + SHED_EVERY_MS;
    store_shed(o->cfg.store);
    session_shed(o->cfg.sessions);
    return true;
}

/* Sessions that left on their own leave holes as well; large ones are worth a trim. */
static void count_freed(struct ops *o)
{
    struct session_stats s;

    session_stats(o->cfg.sessions, &s);
    if (s.used < o->sessions_used)
        o->freed += o->sessions_used - s.used;
    o->sessions_used = s.used;
}

bool ops__relieve(struct ops *o, int64_t now_ms, int64_t now_s)
{
    enum pressure_rung rung = pressure_reached(&o->pressure, &o->sample);
    bool some = false;

    count_freed(o);
    if (rung >= PRESSURE_SHED)
        some = shed(o, now_ms);
    if (rung >= PRESSURE_HIBERNATE) {
        uint64_t excess = pressure_excess(&o->pressure, &o->sample);
        /* Who was used a moment ago leaves only where that can help: it may not come back soon.
         */
        bool urgent =
            rung == PRESSURE_UNHEALTHY && o->sessions_used >= o->sample.limit / SHARE_WORTH;
        some |= session_hibernate(o->cfg.sessions, now_s, excess, urgent) > 0;
        count_freed(o);
    }
    if ((some || o->freed >= TRIM_WORTH) && now_ms >= o->trim_after_ms) {
        trim(o, now_ms);
        some = true;
    }
    return some;
}
