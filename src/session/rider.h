/*
 * A rider charges a session's budget without holding the session (speech that goes on after its
 * turn). It keeps nobody in memory: when the session leaves, each rider is told.
 */
#pragma once

struct session;

struct session_rider {
    struct session_rider *next;
    struct session *session; /* NULL: rides nowhere */
    /* The session leaves memory: take what was charged off its budget, now. */
    void (*gone)(struct session_rider *r);
};

/* From a callback that shows the session, or while it is held. r->session says whose budget. */
void session_ride(const struct session *s, struct session_rider *r);
/* Harmless when it rides nowhere. Its charges must be off the budget. */
void session_alight(struct session_rider *r);
