/* Private to fleet/: a version as a service of the Swarm. */
#pragma once

#include "fleet/spec.h"
#include "fleet/version.h"

/* Where Maya tells the gateway how much room she has; within the container. */
#define FLEET_AGENT_PORT 8001

struct service_cfg {
    const struct spec *spec;
    const char *app, *image;
    int number;
    const json_t *secrets; /* of fleet__secrets_find() */
    enum fleet_role role;
    int weight, replicas;
    bool watch; /* its build knows `maya healthcheck --watch` */
};
json_t *fleet__service_body(const struct service_cfg *c) MUST_USE; /* new reference */

/* said.c: what its containers said, of each the last 100 lines, appended. */
struct buf;
int fleet__said(struct engine *en, const char *name, struct buf *out, struct err *e) MUST_USE;
/* Why it may not be well: what a health check said, or the last line that is for people; or "".
 */
void fleet__last_words(struct engine *en, const char *name, char *ret, size_t size);

/* The newest of each secret that the spec names. ERR_CONFIG with the one that is not there. */
int fleet__secrets_find(struct engine *en, const struct spec *s, json_t **ret,
                        struct err *e) MUST_USE;
