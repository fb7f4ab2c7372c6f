/*
 * fleet: what `maya deploy` and its sisters do to an engine. Keeps nothing of its own: apps,
 * versions and secrets are kept by the Swarm, as services, configs and secrets with labels
 * (fleet_int.h). Blocking, for commands and services of their own. Knows no terminal: what it
 * did and found goes back as values. What an app is to be is a spec (spec.h).
 */
#pragma once

#include "base/err.h"
#include "base/must.h"
#include "fleet/deploy.h"
#include "fleet/keeper.h"
#include "fleet/logs.h"
#include "fleet/spec.h"
#include "fleet/volume.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct engine;

/* Letters, digits, dash, period, underscore; begins with a letter or digit; at most `max`. */
int fleet_check_name(const char *what, const char *name, size_t max, struct err *e) MUST_USE;
int fleet_check_volume_name(const char *name, struct err *e) MUST_USE; /* at least two */

/* swarm.c: "a, b", of an array of texts. */
void fleet_join(struct buf *out, const json_t *texts);

/* secret.c: named sets of values that an app gets as a file of NAME=value lines */

#define FLEET_SECRET_NAME_MAX 56

struct fleet_values; /* names and values; wiped when they are freed */
struct fleet_values *fleet_values_new(void) MUST_USE;
void fleet_values_free(struct fleet_values **v);
/* ERR_INVALID for what is no name of an environment variable, and for a name given twice. */
int fleet_values_add(struct fleet_values *v, const char *name, const char *value,
                     struct err *e) MUST_USE;
size_t fleet_values_count(const struct fleet_values *v);

/*
 * Keep them under a name. A secret that is there is replaced when told so: Maya takes the new
 * one over while she runs, other apps get it with their next deploy; else ERR_EXISTS.
 */
int fleet_secret_create(struct engine *en, const char *name, const struct fleet_values *v,
                        bool replace, struct err *e) MUST_USE;
/*
 * rotated.c: of a secret that was replaced, the apps that have an older one: those that take it
 * over while they run, and those that need a deploy. Arrays of names, the caller's references.
 */
int fleet_secret_takers(struct engine *en, const char *name, json_t **ret_now,
                        json_t **ret_later, struct err *e) MUST_USE;
/*
 * *ret: [{"name", "keys": ["A"], "version": 2, "created": "2025-...", "apps": ["x"]}], by name;
 * "id" and "swarm_name" are the Swarm's
 * own. The values can be read by nobody. The caller's reference.
 */
int fleet_secret_list(struct engine *en, json_t **ret, struct err *e) MUST_USE;
/* ERR_NOT_FOUND; ERR_USED with the apps that use it, and nothing is deleted. */
int fleet_secret_delete(struct engine *en, const char *name, struct err *e) MUST_USE;

/* container.c: the running containers of apps */

/*
 * *ret: [{"id": "4f0c...", "app", "version": 3, "node", "state": "running", "since":
 * "2025-...", "address": "10.0.0.7:32768" or null, "error": "", "maya": true}], by app and
 * version; what has ended is left out. `app` NULL: of all. The caller's reference.
 */
int fleet_container_list(struct engine *en, const char *app, json_t **ret,
                         struct err *e) MUST_USE;
/* Add "memory", bytes, to the rows of such a list whose containers run on this very node. */
void fleet_container_measure(struct engine *en, json_t *list);
/*
 * Stop the container whose id begins like that, with the time its app has to drain; the Swarm
 * starts another one in its place. ERR_NOT_FOUND; ERR_INVALID when several begin so; ERR_IO
 * when it runs on a node that this engine does not speak for.
 */
int fleet_container_stop(struct engine *en, const char *id, struct err *e) MUST_USE;
/* The whole id, of the app's containers that this very node runs. The caller frees it. */
int fleet_container_find(struct engine *en, const char *id, char **ret, struct err *e) MUST_USE;

/* Run a program in a container and talk with it. */
struct fleet_exec {
    const char *const *argv; /* NULL-ended */
    bool terminal;           /* give it one */
    int in_fd;               /* read until its end; -1: nothing */
    /* stream 1 is its stdout, 2 its stderr; on a terminal all is 1 */
    void (*on_bytes)(void *ctx, int stream, const char *data, size_t len);
    /* Has the terminal's size changed since it was asked, or is it asked for the first time? */
    bool (*resized)(void *ctx, int *rows, int *columns);
    void *ctx;
};
/* *ret_code: how it ended. ERR_IO when it could not be started. */
int fleet_container_exec(struct engine *en, const char *id, const struct fleet_exec *x,
                         int *ret_code, struct err *e) MUST_USE;

/* app.c: apps and what became of them */

/*
 * *ret: [{"name", "state": "deployed", "starting" (no version serves yet), "stopping" or
 * "stopped", "version": 7, "containers": 2, "created"}], by name. The caller's reference, as
 * below.
 */
int fleet_app_list(struct engine *en, json_t **ret, struct err *e) MUST_USE;
/*
 * *ret: [{"version": 7, "created", "by", "commit", "tag", "state": "stable" (or "canary",
 * "next", "old", "failed", "")}], the newest first. ERR_NOT_FOUND.
 */
int fleet_app_history(struct engine *en, const char *app, json_t **ret, struct err *e) MUST_USE;
/* End all its containers; its history, volumes and secrets stay, and the certificates of those
 * versions that may serve again. ERR_NOT_FOUND. */
int fleet_app_stop(struct engine *en, const char *app, struct err *e) MUST_USE;
/* *ret: "http://127.0.0.1:8080", or that of its second name (`next`); free() it. With a
 * certificate it is https. ERR_NOT_FOUND. */
int fleet_app_address(struct engine *en, const char *app, bool next, char **ret,
                      struct err *e) MUST_USE;
/* The same of the page that shows how it is: Maya's dashboard, or whatever another app has. */
int fleet_app_dashboard(struct engine *en, const char *app, char **ret, struct err *e) MUST_USE;
