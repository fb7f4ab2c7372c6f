#include "session/session.h"

#include "session/session_int.h"

#define MAKE_ROOM_TRIES 8 /* sessions that may be hibernated for one that wants to come in */

static int reject(struct session_table *t, enum session_reject why, struct err *e)
{
    static const enum err_code codes[SESSION_REJECT__COUNT] = {
        [SESSION_REJECT_LIMIT] = ERR_SESSION_LIMIT,
        [SESSION_REJECT_PRESSURE] = ERR_MEMORY_PRESSURE,
        [SESSION_REJECT_INSUFFICIENT] = ERR_INSUFFICIENT_MEMORY,
    };

    t->stats.rejected[why]++;
    return err_set(e, codes[why], 0, "%s", err_sentence(codes[why]));
}

/* Would one more budget fit? See design: admission is arithmetic, not hope. */
static bool fits(const struct session_table *t, uint64_t resident)
{
    const struct memory_sample *m = &t->sample;

    if (!m->known)
        return true; /* nothing is known before the first sample; the limit still holds */
    if (t->cfg.policy == SESSION_MEASURED)
        return m->limit >= m->used && m->limit - m->used >= t->cfg.budget;
    return (double)t->footprint + (double)(resident + 1) * (double)t->cfg.budget <=
           t->cfg.threshold * (double)m->limit;
}

static uint32_t resident_now(const struct session_table *t)
{
    return t->count[SESSION_IDLE] + t->count[SESSION_BUSY];
}

int session__admit(struct session_table *t, bool fresh, int64_t now_s, struct err *e)
{
    int tries = MAKE_ROOM_TRIES;

    /* An expired session must not keep a living one out until the janitor comes. */
    if ((resident_now(t) >= t->cfg.max_resident || !fits(t, resident_now(t))) &&
        t->swept_s != now_s)
        session__sweep(t, now_s);
    /* Hibernate before rejecting. Under pressure that was tried already. */
    while ((resident_now(t) >= t->cfg.max_resident || !fits(t, resident_now(t))) &&
           tries-- > 0 && !t->refuse && session__make_room(t))
        ;
    if (resident_now(t) >= t->cfg.max_resident)
        return reject(t, SESSION_REJECT_LIMIT, e);
    if (fresh && t->cfg.max_stored) {
        if (store_rows(t->cfg.store) + t->unstored >= t->cfg.max_stored)
            return reject(t, SESSION_REJECT_LIMIT, e);
    }
    if (t->refuse)
        return reject(t, SESSION_REJECT_PRESSURE, e);
    if (!fits(t, resident_now(t)))
        return reject(t, SESSION_REJECT_INSUFFICIENT, e);
    return 0;
}

/* The share of `all` that `used` leaves. */
static double left(double all, double used)
{
    return all <= 0 || used >= all ? 0 : 1 - used / all;
}

unsigned session_room(const struct session_table *t)
{
    const struct memory_sample *m = &t->sample;
    double resident = resident_now(t) + t->count[SESSION_LOADING];
    double room = left(t->cfg.max_resident, resident);
    double memory = 1;

    if (t->refuse)
        return 0;
    if (m->known && t->cfg.policy == SESSION_MEASURED)
        memory = left(t->cfg.threshold * (double)m->limit, (double)m->used);
    else if (m->known)
        memory = left(t->cfg.threshold * (double)m->limit - (double)t->footprint,
                      resident * (double)t->cfg.budget);
    return (unsigned)(100 * (memory < room ? memory : room) + 0.5);
}
