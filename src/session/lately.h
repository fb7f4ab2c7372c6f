/*
 * What was written lately, by this container or by one beside it that shares the store: part of
 * the door, session.h. Who keeps something of a session in mind that it does not hold learns so
 * that the session has gone on elsewhere.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct session_table;

/* Zeroed but for `told` and `ctx`; so again, to begin anew. */
struct session_lately {
    /* The row of `id` has this version now. Told more than once, and of one's own writes too.
     */
    void (*told)(void *ctx, const char *id, uint64_t version);
    void *ctx;
    bool reading; /* private, as the rest */
    int64_t begun_s;
    int64_t place_s;
    uint64_t place_row;
};

/*
 * Look, or go on looking where the last call ended: a millisecond or two at the most, and next
 * to nothing while nothing is written. What was written before the first call is told only when
 * it was used within LATELY_S. A write is told when it is on disk within LATELY_S of the moment
 * that it gives as the session's last use. False: that was all that there is by now.
 */
#define LATELY_S 3
bool session_lately(struct session_table *t, int64_t now_s, struct session_lately *l);
