/*
 * Private to fleet/: an app as the Swarm keeps it. A version is a config (NAME-v7) that holds
 * what was deployed, and, while it runs, a service of the same name. What is wanted of a
 * running version stands in its service's labels; whoever changes them says so to the keeper,
 * who looks every second anyway.
 */
#pragma once

#include "fleet/fleet_int.h"

#include <stdbool.h>

/* What a running version is to its app, in LABEL_ROLE. */
enum fleet_role {
    ROLE_NEXT,   /* not ready yet: nobody comes to it */
    ROLE_STABLE, /* the one that people come to */
    ROLE_CANARY, /* some come to it, to try it */
    ROLE_OLD,    /* it finishes what it has, and goes */
    ROLE__COUNT
};
const char *fleet__role_text(enum fleet_role r);
enum fleet_role fleet__role(const json_t *service); /* ROLE_OLD for what is unknown */
int fleet__weight(const json_t *service);

struct version {
    int number;
    const char *tag, *by, *commit, *created, *config_id; /* "" when not known */
    json_t *config;                                      /* borrowed from the app */
    json_t *service;                                     /* or NULL: it does not run */
};

/* An app as it was when it was read. */
struct app {
    char *name;
    json_t *configs, *services;
    struct version *versions; /* by number, the newest first */
    size_t count;
};
/* An app that was never deployed has no versions, which is no error. */
int fleet__app_read(struct engine *en, const char *name, struct app *ret,
                    struct err *e) MUST_USE;
void fleet__app_release(struct app *a);
const struct version *fleet__version_of(const struct app *a, int number);     /* or NULL */
const struct version *fleet__running(const struct app *a, enum fleet_role r); /* or NULL */
int fleet__newest(const struct app *a);                                       /* 0: none */

/* What a version is made of, read back from its config: spec as text, image. */
int fleet__version_load(const struct version *v, json_t **ret, struct err *e) MUST_USE;
/* Only the spec of it. Free it. */
struct spec;
int fleet__version_spec(const struct version *v, struct spec **ret, struct err *e) MUST_USE;
/* Keep a new version. `what` is {"spec": {...}, "image": "...", "secrets": [...], "watch": b}.
 */
int fleet__version_keep(struct engine *en, const char *app, int number, const json_t *what,
                        const char *tag, const char *by, const char *commit,
                        struct err *e) MUST_USE;

/* A note at what is kept of it, for the history; only once for one reading of the app. */
void fleet__version_label(struct engine *en, const struct version *v, const char *label,
                          const char *text);

/* Change a service: `change` edits the spec in place; it is tried again when others were
 * quicker. */
int fleet__service_change(struct engine *en, const char *name,
                          void (*change)(void *ctx, json_t *spec), void *ctx,
                          struct err *e) MUST_USE;
/* One label, or several: NULL-ended names and values. */
int fleet__service_label(struct engine *en, const char *name, const char *const *pairs,
                         struct err *e) MUST_USE;
int fleet__service_scale(struct engine *en, const char *name, int replicas,
                         struct err *e) MUST_USE;
int fleet__service_remove(struct engine *en, const char *name, struct err *e) MUST_USE;

/*
 * lock.c: one change of an app at a time, over all who use the Swarm. ERR_IN_USE says who has
 * it and since when. A lock whose holder died is taken over: at once where it was on this
 * machine, else after LOCK_STALE_S without a sign.
 */
#define LOCK_STALE_S 60
struct lock {
    struct engine *en;
    char *id, *name;
    int64_t renewed_s;
};
int fleet__lock(struct engine *en, const char *app, const char *who, struct lock *ret,
                struct err *e) MUST_USE;
/* Could it be had now? Only a look, before what takes long. */
int fleet__lock_look(struct engine *en, const char *app, struct err *e) MUST_USE;
void fleet__lock_renew(struct lock *l); /* call it often; it does something now and then */
void fleet__unlock(struct lock *l);
