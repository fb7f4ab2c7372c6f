/* Private to fleet/: the labels by which the Swarm's things are known as ours, and how to read
 * them. */
#pragma once

#include "base/err.h"
#include "base/must.h"

#include <jansson.h>

struct engine;

#define LABEL_APP "maya.app"         /* of a service, a config: the app's name */
#define LABEL_VERSION "maya.version" /* "7" */
#define LABEL_SECRET "maya.secret"   /* of a secret: the name people gave it */
#define LABEL_KEYS "maya.keys"       /* of a secret: "A,B", the names of its values */

/* swarm.c: all borrowed, "" or 0 for what is not there */

const char *fleet__text(const json_t *object, const char *key);
const char *fleet__name(const json_t *thing);                     /* Spec.Name */
const char *fleet__label(const json_t *thing, const char *label); /* Spec.Labels */
int fleet__version(const json_t *thing);                          /* LABEL_VERSION */
/* The services that are versions of the app, NULL: of any app. */
int fleet__services(struct engine *en, const char *app, json_t **ret, struct err *e) MUST_USE;
