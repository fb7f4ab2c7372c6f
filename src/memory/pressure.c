#include "memory/memory.h"

#include <malloc.h>

#define HYSTERESIS 0.05
#define PATIENCE_MS 10000

const char *pressure_label(enum pressure_rung r)
{
    static const char *const labels[] = {
#define RUNG(name, label, text) label,
#include "memory/rung.def"
#undef RUNG
    };

    return r < PRESSURE__COUNT ? labels[r] : "unknown";
}

void pressure_init(struct pressure *p, double threshold)
{
    *p = (struct pressure){.threshold = threshold};
}

/* The share of the limit at which a rung is climbed. */
static double edge(const struct pressure *p, enum pressure_rung r)
{
    switch (r) {
    case PRESSURE_SHED:
        return p->threshold * 0.9;
    case PRESSURE_HIBERNATE:
        return p->threshold * 0.95;
    case PRESSURE_UNHEALTHY:
        return (p->threshold + 1) / 2;
    default:
        return p->threshold;
    }
}

static double leave_edge(const struct pressure *p, enum pressure_rung r)
{
    return edge(p, r) - HYSTERESIS;
}

enum pressure_rung pressure_reached(const struct pressure *p, const struct memory_sample *s)
{
    enum pressure_rung at = PRESSURE_NONE;
    double used = (double)s->used, limit = (double)s->limit;

    if (!s->known || s->limit == 0)
        return PRESSURE_NONE;
    for (int r = PRESSURE_SHED; r < PRESSURE__COUNT; r++) {
        enum pressure_rung rung = (enum pressure_rung)r;
        if (used >= (p->rung >= rung ? leave_edge(p, rung) : edge(p, rung)) * limit)
            at = rung;
    }
    return at;
}

uint64_t pressure_excess(const struct pressure *p, const struct memory_sample *s)
{
    uint64_t calm = (uint64_t)(leave_edge(p, PRESSURE_HIBERNATE) * (double)s->limit);

    return s->known && s->used > calm ? s->used - calm : 0;
}

uint64_t pressure_edge(const struct pressure *p, enum pressure_rung r, uint64_t limit)
{
    return (uint64_t)(edge(p, r) * (double)limit);
}

bool pressure_update(struct pressure *p, const struct memory_sample *s, int64_t now_ms)
{
    enum pressure_rung to = pressure_reached(p, s);
    bool refused = p->rung >= PRESSURE_REFUSE, refuses = to >= PRESSURE_REFUSE;

    if (refuses && !refused)
        p->refusing_since_ms = now_ms;
    /* The lower rungs have had their time, and it was no use. */
    if (refuses && now_ms - p->refusing_since_ms >= PATIENCE_MS)
        to = PRESSURE_UNHEALTHY;
    if (to == p->rung)
        return false;
    p->times += refuses && !refused;
    for (int r = (int)p->rung + 1; r <= (int)to; r++)
        p->climbed[r]++;
    p->rung = to;
    p->since_ms = now_ms;
    return true;
}

bool memory_trim(void)
{
    return malloc_trim(0) == 1;
}
