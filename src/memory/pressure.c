#include "memory/memory.h"

#include <malloc.h>

#define HYSTERESIS 0.05

void pressure_init(struct pressure *p, double threshold)
{
    *p = (struct pressure){.threshold = threshold};
}

bool pressure_update(struct pressure *p, const struct memory_sample *s, int64_t now_ms)
{
    double used = (double)s->used, limit = (double)s->limit;
    double edge = p->on ? p->threshold - HYSTERESIS : p->threshold;
    bool on = s->known && s->limit > 0 && used >= edge * limit;

    if (on == p->on)
        return false;
    p->on = on;
    p->times += on;
    p->since_ms = now_ms;
    return true;
}

bool memory_trim(void)
{
    return malloc_trim(0) == 1;
}
