/*
 * Rate limits in the predecessor's order and words: a burst in 10 seconds, all sessions a
 * minute, one session a minute. Its buckets never refilled; these do.
 */
#include "agent/agent_int.h"

#define BURST_MS 10000u
#define MINUTE_MS 60000.0

static void refill(struct limit_bucket *b, uint32_t limit, double period_ms, int64_t now_ms)
{
    if (b->at_ms == 0 || now_ms < b->at_ms)
        b->tokens = limit;
    else
        b->tokens += (double)(now_ms - b->at_ms) * limit / period_ms;
    if (b->tokens > limit)
        b->tokens = limit;
    b->at_ms = now_ms ? now_ms : 1;
}

/* The ring holds the last `limit` attempts; the oldest says whether there is room. */
static bool burst(const struct agent *a, struct agent_pace *s, int64_t now_ms)
{
    uint32_t limit = a->cfg.burst, now = (uint32_t)now_ms ? (uint32_t)now_ms : 1;
    uint32_t oldest = 0;

    if (limit > BURST_RING) {
        refill(&s->burst_bucket, limit, BURST_MS, now_ms);
        if (s->burst_bucket.tokens < 1)
            return false;
        s->burst_bucket.tokens -= 1;
        return true;
    }
    /* Differences, so that it goes on when the low bits wrap around. */
    for (uint32_t i = 1; i < limit && s->burst_ms[oldest]; i++)
        if (s->burst_ms[i] == 0 || now - s->burst_ms[i] > now - s->burst_ms[oldest])
            oldest = i;
    if (s->burst_ms[oldest] && now - s->burst_ms[oldest] < BURST_MS)
        return false;
    s->burst_ms[oldest] = now;
    return true;
}

int agent__limit(struct agent *a, struct session *s, struct err *e)
{
    struct agent_pace *pace = (struct agent_pace *)(void *)s->aside;
    int64_t now_ms = agent__now_ms(a);

    if (a->cfg.burst && !burst(a, pace, now_ms))
        return err_set(e, ERR_RATE_LIMITED, 0,
                       "Rate limit exceeded: Too many requests in quick succession");
    if (a->cfg.app_rate) {
        refill(&a->app_bucket, a->cfg.app_rate, MINUTE_MS, now_ms);
        if (a->app_bucket.tokens < 1)
            return err_set(e, ERR_RATE_LIMITED, 0,
                           "Rate limit exceeded: Application rate limit exceeded (%u/min)",
                           a->cfg.app_rate);
    }
    if (a->cfg.session_rate) {
        refill(&pace->bucket, a->cfg.session_rate, MINUTE_MS, now_ms);
        if (pace->bucket.tokens < 1)
            return err_set(e, ERR_RATE_LIMITED, 0,
                           "Rate limit exceeded: Session rate limit exceeded (%u/min)",
                           a->cfg.session_rate);
        pace->bucket.tokens -= 1;
    }
    if (a->cfg.app_rate)
        a->app_bucket.tokens -= 1;
    return 0;
}
