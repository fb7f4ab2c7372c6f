/*
 * Hibernation. Every acknowledged turn is in the store, so to hibernate is to forget: nothing
 * of the session stays in memory, and its next request loads it again. Only idle sessions are
 * chosen, and none that was used within the cooldown, so that a hot working set which does not
 * fit is answered with rejections and never thrashed through the store. Where the memory is all
 * but used up the cooldown counts no more: those in memory grow too, and the kernel would end
 * the process for everybody.
 */
#include "session/session.h"

#include "base/log.h"
#include "session/session_int.h"

#include <string.h>

#define COOLDOWN_S 30
#define IDLE_PER_TICK 256    /* sessions that leave in one tick because nobody uses them */
#define PRESSED_PER_TICK 512 /* that leave in one call under pressure */
#define CANDIDATES 32 /* coldest sessions among which the one that frees most is chosen */

static int64_t cooldown_s(const struct session_table *t)
{
    return t->cfg.hibernate_s < COOLDOWN_S ? t->cfg.hibernate_s : COOLDOWN_S;
}

static void hibernate(struct session *s, enum session_end why)
{
    MUST(s->state == SESSION_IDLE && s->version > 0);
    session__close(s, why);
}

/* Of the coldest, idle for `least_s`, the most bytes x idle time; the list is in that order. */
static struct session *choose(const struct session_table *t, int64_t least_s)
{
    struct session *best = NULL;
    double most = 0;
    int seen = 0;

    LIST_EACH(at, after, &t->by_state[SESSION_IDLE])
    {
        struct session *s = LIST_ITEM(at, struct session, link);
        int64_t idle_s = t->now_s - s->idle_since_s;
        if (idle_s < least_s || seen++ == CANDIDATES)
            break;
        double rank = (double)s->budget.used * (double)(idle_s + 1);
        if (rank > most) {
            most = rank;
            best = s;
        }
    }
    return best;
}

bool session__make_room(struct session_table *t)
{
    struct session *s = choose(t, cooldown_s(t));

    if (s)
        hibernate(s, SESSION_END_ROOM);
    return s != NULL;
}

size_t session_hibernate(struct session_table *t, int64_t now_s, size_t bytes, bool urgent)
{
    size_t freed = 0;
    unsigned count = 0;

    t->now_s = now_s;
    for (; freed < bytes && count < PRESSED_PER_TICK; count++) {
        struct session *s = choose(t, urgent ? 0 : cooldown_s(t));
        if (!s)
            break;
        freed += s->budget.used;
        hibernate(s, SESSION_END_PRESSURE);
    }
    if (count)
        log_debug("session", "hibernate", "reason=pressure sessions=%u bytes=%zu resident=%u",
                  count, freed, t->count[SESSION_IDLE] + t->count[SESSION_BUSY]);
    return freed;
}

void session_tick(struct session_table *t, int64_t now_s)
{
    unsigned idle = 0;

    t->now_s = now_s;
    LIST_EACH(at, after, &t->by_state[SESSION_IDLE])
    {
        struct session *s = LIST_ITEM(at, struct session, link);
        if (now_s - s->idle_since_s < t->cfg.hibernate_s || idle == IDLE_PER_TICK)
            break;
        hibernate(s, SESSION_END_IDLE);
        idle++;
    }
    session__sweep(t, now_s);
    session__pack_tick(t);
    session__reseal_tick(t, now_s);
    if (idle)
        log_debug("session", "hibernate", "reason=idle sessions=%u resident=%u", idle,
                  t->count[SESSION_IDLE] + t->count[SESSION_BUSY]);
}

void session_shed(struct session_table *t)
{
    buf_release(&t->plain);
}

int session_hibernate_one(struct session_table *t, const char *id, struct err *e)
{
    struct session *s = map_get(&t->by_id, id, strlen(id));

    if (!s)
        return err_set(e, ERR_NOT_FOUND, 0, "this session is not in memory");
    if (s->state != SESSION_IDLE)
        return err_set(e, ERR_IN_USE, 0, "%s", err_sentence(ERR_IN_USE));
    log_info("session", "hibernate_by_hand", "session=%s bytes=%zu", log_id(s->id),
             s->budget.used);
    hibernate(s, SESSION_END_HAND);
    return 0;
}
