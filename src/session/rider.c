#include "session/rider.h"

#include "session/session_int.h"

void session_ride(const struct session *shown, struct session_rider *r)
{
    struct session *s = (struct session *)(uintptr_t)shown; /* what it says stays as it is */

    MUST(s->magic == SESSION_MAGIC);
    r->session = s;
    r->next = s->riders;
    s->riders = r;
}

void session_alight(struct session_rider *r)
{
    struct session_rider **at;

    if (!r->session)
        return;
    for (at = &r->session->riders; *at != r;)
        at = &(*at)->next;
    *at = r->next;
    r->session = NULL;
}

void session__put_off(struct session *s)
{
    struct session_rider *r;

    while ((r = s->riders)) {
        s->riders = r->next;
        r->session = NULL;
        r->gone(r);
    }
}
