/* The door to deploying. Part of fleet.h. */
#pragma once

#include "base/err.h"
#include "base/must.h"

#include <stdbool.h>
#include <stdint.h>

struct engine;
struct spec;

struct fleet_deploy {
    const struct spec *spec;
    const char *agent;         /* the agent folder, where the spec names none */
    const char *tag;           /* or NULL */
    const char *who;           /* "ann@laptop" */
    const char *commit;        /* "0f31a5b*", or NULL */
    int http_port, https_port; /* of the gateway; 0: none, -1: as it is */
    int canary_weight;         /* percent */
    bool force;                /* also when nothing changed */
    bool discard;              /* what waits or is being tried is taken back */
    bool unchecked;            /* stored sessions are not tried before */
    /* What is being done, a line each, for people. */
    void (*on_line)(void *ctx, const char *line);
    /* How far what takes long has come, once a second; NULL when it is over. Or NULL. */
    void (*on_wait)(void *ctx, const char *line);
    void *ctx;
};

struct fleet_deployed {
    int version;    /* the one that serves now, or waits */
    bool unchanged; /* it did already */
    bool waits;     /* it runs beside the one that serves, until somebody decides */
    int64_t took_ms;
};

/*
 * Build, try a sample of Maya's stored sessions (ERR_CONFIG when one of the two versions could
 * not read them), start beside what runs, wait until it is ready, hand over. What does not
 * become ready is taken back, and so is what is stopped before the hand-over; ERR_STOPPED then.
 * One deploy of an app at a time, and none while a version waits or is tried: ERR_IN_USE.
 */
int fleet_deploy(struct engine *en, const struct fleet_deploy *how, struct fleet_deployed *ret,
                 struct err *e) MUST_USE;
/*
 * Make what was v`number` (0: the one before) the next version, from what is kept of it. Of
 * `wanted` what is left open by that counts: who, discard, unchecked and the calls back.
 */
int fleet_rollback(struct engine *en, const char *app, int number,
                   const struct fleet_deploy *wanted, struct fleet_deployed *ret,
                   struct err *e) MUST_USE;
/*
 * A version that waits, or is being tried: let it serve (`promote`), or take it back.
 * ERR_NOT_FOUND when there is none.
 */
int fleet_decide(struct engine *en, const char *app, bool promote, const char *who,
                 void (*on_line)(void *ctx, const char *line), void *ctx, int *ret_version,
                 struct err *e) MUST_USE;
