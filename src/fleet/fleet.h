/*
 * fleet: what `maya deploy` and its sisters do to an engine. Keeps nothing of its own: apps,
 * versions and secrets are kept by the Swarm, as services, configs and secrets with labels
 * (label.h). Blocking, for commands and services of their own. Knows no terminal: what it did
 * and found goes back as values.
 */
#pragma once

#include "base/err.h"
#include "base/must.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct engine;

/* Letters, digits, dash, period, underscore; begins with a letter or digit; at most `max`. */
int fleet_check_name(const char *what, const char *name, size_t max, struct err *e) MUST_USE;

/* secret.c: named sets of values that an app gets as its environment */

#define FLEET_SECRET_NAME_MAX 56

struct fleet_values; /* names and values; wiped when they are freed */
struct fleet_values *fleet_values_new(void) MUST_USE;
void fleet_values_free(struct fleet_values **v);
/* ERR_INVALID for what is no name of an environment variable, and for a name given twice. */
int fleet_values_add(struct fleet_values *v, const char *name, const char *value,
                     struct err *e) MUST_USE;
size_t fleet_values_count(const struct fleet_values *v);

/*
 * Keep them under a name. A secret that is there is replaced when told so: apps get the new one
 * with their next deploy; else ERR_EXISTS.
 */
int fleet_secret_create(struct engine *en, const char *name, const struct fleet_values *v,
                        bool replace, struct err *e) MUST_USE;
/*
 * *ret: [{"name", "keys": ["A"], "version": 2, "created": "2025-...", "apps": ["x"]}], by name;
 * the values can be read by nobody. The caller's reference.
 */
int fleet_secret_list(struct engine *en, json_t **ret, struct err *e) MUST_USE;
/* ERR_NOT_FOUND; ERR_USED with the apps that use it, and nothing is deleted. */
int fleet_secret_delete(struct engine *en, const char *name, struct err *e) MUST_USE;
