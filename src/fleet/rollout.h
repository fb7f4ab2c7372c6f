/*
 * Private to fleet/: what is done to the running versions of an app. Each step is a change of
 * labels that stands by itself, so that whoever does it may end at any moment: the keeper, or
 * the next deploy, goes on from what is there.
 */
#pragma once

#include "fleet/version.h"

struct rollout {
    struct engine *en;
    const char *app;
    struct lock *lock;        /* renewed while it waits; NULL: none is held */
    int64_t drain_s, watch_s; /* of the version that is to serve */
    void (*on_line)(void *ctx, const char *line); /* or NULL */
    void (*on_wait)(void *ctx, const char *line); /* or NULL; see struct fleet_deploy */
    void *ctx;
};
void rollout__say(const struct rollout *r, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Wait a moment; ERR_STOPPED when somebody wants it to end. */
int rollout__pause(const struct rollout *r, struct err *e) MUST_USE;

/*
 * Another role for a version's service. Only when it has the role `from` (ROLE__COUNT: any);
 * ERR_CONFLICT otherwise: somebody else decided about it in between.
 */
int fleet__turn(struct engine *en, const char *service, enum fleet_role from,
                enum fleet_role to, int weight, struct err *e) MUST_USE;
/*
 * v`number` serves, and all others go; the one before stays beside it while it is watched
 * (keeper_watch.c). It is not waited for them.
 */
int rollout__hand_over(const struct rollout *r, int number, struct err *e) MUST_USE;
/* The old ones go as fast as they can finish; nobody is hurt when it is not waited for. */
void rollout__watch_old_go(const struct rollout *r);
/* Nobody came to it: its service goes at once, and its history says `state`. */
void rollout__take_back(const struct rollout *r, int number, const char *state);
/*
 * What a deploy left that ended in the middle: a version that nobody waits for any more.
 * ERR_IN_USE when one is there that waits to be promoted, or is being tried; `force` takes it
 * back. The app is locked, and is to be read anew.
 */
int rollout__clean(const struct rollout *r, const struct app *a, bool force,
                   struct err *e) MUST_USE;
