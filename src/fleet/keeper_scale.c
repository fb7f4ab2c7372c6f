/* The decision about the number of containers. */
#include "fleet/keeper_scale.h"

#include <string.h>

/* Keep a sample now and then; the oldest goes. */
static void sample(struct scale *s, int64_t now_ms, uint64_t used)
{
    if (s->trends && now_ms - s->trend[s->trends - 1].at_ms < SCALE_TREND_MS / SCALE_SAMPLES)
        return;
    if (s->trends == SCALE_SAMPLES)
        memmove(s->trend, s->trend + 1, --s->trends * sizeof(*s->trend));
    s->trend[s->trends].at_ms = now_ms;
    s->trend[s->trends++].used = used;
}

/* What will be used a start from now, if it goes on like this. Never less than now. */
static uint64_t expect(const struct scale *s, int64_t now_ms, uint64_t used)
{
    for (unsigned i = 0; i < s->trends; i++) {
        int64_t ago_ms = now_ms - s->trend[i].at_ms;
        if (ago_ms > SCALE_TREND_MS + SCALE_TREND_MS / SCALE_SAMPLES || ago_ms <= 0)
            continue;
        if (used <= s->trend[i].used)
            return used;
        /* A rise that is younger than the time it looks ahead is not drawn longer than it is.
         */
        double rise = (double)(used - s->trend[i].used);
        double ahead = ago_ms < SCALE_AHEAD_MS ? 1 : (double)SCALE_AHEAD_MS / (double)ago_ms;
        return used + (uint64_t)(rise * ahead);
    }
    return used;
}

/* Remember the need; *ret_peak is the most of the last window. */
static bool remember(struct scale *s, const struct scale_rule *r, int64_t now_ms, unsigned need,
                     unsigned *ret_peak)
{
    int64_t step_ms = r->window_ms / (SCALE_SAMPLES - 2);
    unsigned gone = 0, peak = need;

    if (s->need_count && now_ms - s->needs[s->need_count - 1].at_ms <= step_ms) {
        if (s->needs[s->need_count - 1].need < need)
            s->needs[s->need_count - 1].need = need;
    } else {
        if (s->need_count == SCALE_SAMPLES)
            memmove(s->needs, s->needs + 1, --s->need_count * sizeof(*s->needs));
        s->needs[s->need_count].at_ms = now_ms;
        s->needs[s->need_count++].need = need;
    }
    /* One holds for a step after its time, so it goes a step later. */
    while (gone < s->need_count && now_ms - s->needs[gone].at_ms > r->window_ms + step_ms)
        gone++;
    memmove(s->needs, s->needs + gone, (s->need_count - gone) * sizeof(*s->needs));
    s->need_count -= gone;
    for (unsigned i = 0; i < s->need_count; i++)
        peak = s->needs[i].need > peak ? s->needs[i].need : peak;
    *ret_peak = peak;
    return now_ms - s->since_ms >= r->window_ms;
}

/* The cheapest to empty: the fewest bytes to write and wake again, then the fewest requests. */
static size_t cheapest(const struct scale_seen *seen)
{
    size_t best = SIZE_MAX;

    for (size_t i = 0; i < seen->count; i++) {
        const struct scale_container *c = &seen->at[i];
        const struct scale_container *b = best == SIZE_MAX ? NULL : &seen->at[best];
        if (!b || c->used < b->used || (c->used == b->used && c->busy < b->busy))
            best = i;
    }
    return best;
}

static unsigned need_of(const struct scale *s, const struct scale_rule *r,
                        const struct scale_seen *seen, uint64_t expected)
{
    bool somebody = seen->waits || seen->now_ms - s->active_ms < r->window_ms;
    uint64_t fill = s->room * SCALE_FILL_PERCENT / 100, need = 0;

    if (fill)
        need = expected / fill + (expected % fill != 0);
    if (somebody)
        need = (need ? need : 1) + r->buffer;
    else if (r->min == 0)
        need = 0; /* who is asleep needs nobody */
    need = need < r->min ? r->min : need;
    return need > r->max ? r->max : (unsigned)need;
}

static void look(struct scale *s, const struct scale_seen *seen, struct scale_decision *d,
                 bool *ret_unknown)
{
    uint64_t busy = 0, room = 0, known = 0;

    for (size_t i = 0; i < seen->count; i++) {
        busy += seen->at[i].busy;
        if (!seen->at[i].known)
            continue;
        known++;
        d->used += seen->at[i].used;
        room += seen->at[i].room;
    }
    *ret_unknown = known < seen->count;
    if (known && room / known)
        s->room = room / known;
    if (!s->begun) {
        s->begun = true;
        s->since_ms = s->active_ms = seen->now_ms;
        s->requests = seen->requests;
    }
    if (busy || seen->waits || seen->requests != s->requests)
        s->active_ms = seen->now_ms;
    s->requests = seen->requests;
    d->room = s->room;
    if (!*ret_unknown)
        sample(s, seen->now_ms, d->used);
    d->expected = expect(s, seen->now_ms, d->used);
}

struct scale_decision keeper__scale(struct scale *s, const struct scale_rule *r,
                                    const struct scale_seen *seen)
{
    struct scale_decision d = {.to = seen->wanted, .chosen = SIZE_MAX};
    bool unknown;

    look(s, seen, &d, &unknown);
    d.need = need_of(s, r, seen, d.expected);
    bool whole = remember(s, r, seen->now_ms, d.need, &d.peak);
    if (seen->rollout) {
        d.why = "rollout";
    } else if (d.need > seen->wanted) {
        d.what = SCALE_OUT;
        d.to = d.need;
        d.why = seen->waits ? "a request waits" : "more is reserved";
    } else if (seen->wanted > r->max) {
        d.what = SCALE_IN;
        d.why = "more than max_containers";
    } else if (seen->leaving) {
        d.why = "one is leaving";
    } else if (seen->wanted <= d.peak) {
        d.why = "as many as needed";
    } else if (unknown || seen->count < seen->wanted) {
        d.why = "not all containers answer";
    } else if (!whole) {
        d.why = "not seen for long enough";
    } else {
        d.what = SCALE_IN;
        d.why = d.peak ? "fewer were enough" : "nobody is there";
    }
    if (d.what == SCALE_IN && seen->leaving)
        d.what = SCALE_STAY;
    if (d.what == SCALE_IN) {
        d.to = seen->wanted - 1;
        d.chosen = cheapest(seen);
    }
    return d;
}
