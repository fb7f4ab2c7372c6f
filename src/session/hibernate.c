/*
 * Hibernation. Every acknowledged turn is in the store, so to hibernate is to forget: nothing
 * of the session stays in memory, and its next request loads it again. Only idle sessions are
 * chosen, and none that was used within the cooldown, so that a hot working set which does not
 * fit is answered with rejections and never thrashed through the store.
 */
#include "session/session.h"

#include "base/log.h"
#include "session/session_int.h"

#define COOLDOWN_S 30
#define IDLE_PER_TICK 256   /* sessions that leave in one tick because nobody uses them */
#define PRESSED_PER_TICK 64 /* that leave in one tick under pressure */
#define CANDIDATES 32       /* coldest sessions among which the one that frees most is chosen */

static int64_t cooldown_s(const struct session_table *t)
{
    return t->cfg.hibernate_s < COOLDOWN_S ? t->cfg.hibernate_s : COOLDOWN_S;
}

static void hibernate(struct session *s, enum session_end why)
{
    MUST(s->state == SESSION_IDLE && s->version > 0);
    session__close(s, why);
}

/* The one of the coldest with the most bytes x idle time; the list is in order of idleness. */
static struct session *choose(const struct session_table *t)
{
    struct session *best = NULL;
    double most = 0;
    int seen = 0;

    LIST_EACH(at, after, &t->by_state[SESSION_IDLE])
    {
        struct session *s = LIST_ITEM(at, struct session, link);
        int64_t idle_s = t->now_s - s->idle_since_s;
        if (idle_s < cooldown_s(t) || seen++ == CANDIDATES)
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
    struct session *s = choose(t);

    if (s)
        hibernate(s, SESSION_END_ROOM);
    return s != NULL;
}

void session_tick(struct session_table *t, int64_t now_s)
{
    unsigned idle = 0, pressed = 0;

    t->now_s = now_s;
    LIST_EACH(at, after, &t->by_state[SESSION_IDLE])
    {
        struct session *s = LIST_ITEM(at, struct session, link);
        if (now_s - s->idle_since_s < t->cfg.hibernate_s || idle == IDLE_PER_TICK)
            break;
        hibernate(s, SESSION_END_IDLE);
        idle++;
    }
    while (t->pressure && pressed < PRESSED_PER_TICK) {
        struct session *s = choose(t);
        if (!s)
            break;
        hibernate(s, SESSION_END_PRESSURE);
        pressed++;
    }
    if (idle || pressed)
        log_debug("session", "hibernate", "idle=%u pressure=%u resident=%u", idle, pressed,
                  t->count[SESSION_IDLE] + t->count[SESSION_BUSY]);
}
