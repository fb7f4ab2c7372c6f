/* Private to fleet/: the labels by which the Swarm's things are known as ours, and how to read
 * them. */
#pragma once

#include "base/err.h"
#include "base/must.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct engine;

#define LABEL_APP "maya.app" /* of a service, a config, a volume that came with it: the app */
#define LABEL_VERSION "maya.version" /* "7" */
#define LABEL_TAG "maya.tag"         /* of a config: what people call the version */
#define LABEL_BY "maya.by"           /* of a config, a lock: who */
#define LABEL_COMMIT "maya.commit"   /* of a config: "0f31a5b", "*" behind it: and changes */
#define LABEL_STATE "maya.state"   /* of a config: "failed", "discarded": it never served all */
#define LABEL_ROLE "maya.role"     /* of a service: enum fleet_role */
#define LABEL_WEIGHT "maya.weight" /* of a service: its share of new sessions, in percent */
#define LABEL_WAITS "maya.waits"   /* of a service: "promote": somebody is to decide about it */
#define LABEL_READY "maya.ready"   /* of a service: containers that answer, says the keeper */
#define LABEL_SERVES "maya.serves" /* of those, the ones that people may come to */
#define LABEL_SAW "maya.saw"       /* of a canary, a config: its trial, see trial.h */
#define LABEL_WATCH "maya.watch"   /* of a service: seconds that it is watched once it serves */
#define LABEL_LOCK "maya.lock"     /* of a config: the app that it locks */
#define LABEL_SINCE "maya.since"   /* of a lock: unix seconds of the last sign */
#define LABEL_HOLDER "maya.holder" /* of a lock: machine and process, see lock.c */
#define LABEL_HTTP "maya.http"     /* of the gateway and the keeper: the port */
#define LABEL_HTTPS "maya.https"   /* the same; "0": none */
#define LABEL_PART "maya.part"     /* of a service: "gateway", "keeper"; a container: "files" */
#define LABEL_VOLUME "maya.volume" /* of a volume: it is ours */
#define LABEL_SECRET "maya.secret" /* of a secret: the name people gave it */
#define LABEL_CERT "maya.certificate" /* of a secret: whose certificate it is, an app */
#define LABEL_DIGEST "maya.digest"    /* of a certificate's secret: of the certificate */
#define LABEL_HOSTS "maya.hosts"      /* of a certificate's secret: "a.org,b.org" */
#define LABEL_KEYS "maya.keys"        /* of a secret: "A,B", the names of its values */

/* swarm.c: all borrowed, "" or 0 for what is not there */

const char *fleet__text(const json_t *object, const char *key);
const char *fleet__name(const json_t *thing);                     /* Spec.Name */
const char *fleet__label(const json_t *thing, const char *label); /* Spec.Labels */
int fleet__version(const json_t *thing);                          /* LABEL_VERSION */
const json_t *fleet__by_id(const json_t *list, const char *id);   /* its ID; or NULL */
/* Of what has this label, the one with the highest version; borrowed, or NULL. */
json_t *fleet__newest_of(const json_t *all, const char *label, const char *name);
int64_t fleet__now_ms(void);           /* monotonic */
bool fleet__ended(const json_t *task); /* it will not run any more */
/* "bar-v7", what the version's config and service are called. free() it. */
char *fleet__object(const char *app, int number) MUST_USE;
/* The services that are versions of the app, NULL: of any app. */
int fleet__services(struct engine *en, const char *app, json_t **ret, struct err *e) MUST_USE;

/* secret.c: all secrets that are kept for apps, and all services, the keeper too. */
int fleet__secrets_read(struct engine *en, json_t **all, json_t **services,
                        struct err *e) MUST_USE;
