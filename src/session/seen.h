/*
 * What may be known of a session without having it: part of the door, session.h. Nothing here
 * loads a session, waits for it or counts as a use of it.
 */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct budget;
struct session;
struct session_table;

/* When it is idle in memory: to read there and then. NULL: asleep, held, or not there. */
const struct session *session_at_rest(const struct session_table *t, const char *id,
                                      int64_t now_s);

struct session_seen {
    /*
     * Called once, maybe inside session_seen(). `used_s`: the last use, which is now while
     * somebody holds it; -1: there is no such session, it is not stored yet, or has expired.
     */
    void (*told)(struct session_seen *q, int64_t used_s, const struct err *e);
    uint64_t version;            /* then: its row's; 0: there is none */
    struct session_table *table; /* private, as the rest */
    int64_t now_s;
};
void session_seen(struct session_table *t, const char *id, int64_t now_s,
                  struct session_seen *q);

/* Does somebody hold it, or is it being read or removed? Its version may be about to change. */
bool session_held(const struct session_table *t, const char *id);

/* The budget of one that is held, for what its holder keeps elsewhere. */
struct budget *session_budget(const struct session *s);
