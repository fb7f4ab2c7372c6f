/*
 * Private to fleet/: the certificates of apps, for the gateway. Each is a secret of the Swarm,
 * certificate and key in one, that only the keeper is given. An app has one at most; another
 * one is another secret, as a secret cannot be changed.
 */
#pragma once

#include "base/err.h"
#include "base/must.h"
#include "fleet/spec.h"

#include <jansson.h>

/* Can what the spec names be shown to people? As fleet__cert_keep(), and nothing is changed. */
int fleet__cert_check(const struct spec *s, struct err *e) MUST_USE;
/*
 * Keep what the spec names; what an app has that names none is dropped. ERR_CONFIG with one
 * sentence when it cannot be shown to people.
 */
int fleet__cert_keep(struct engine *en, const struct spec *s, struct err *e) MUST_USE;
/* *ret: [{"app", "id", "swarm_name"}], by app; the caller's reference. */
int fleet__cert_list(struct engine *en, json_t **ret, struct err *e) MUST_USE;
/* Delete those that are in no such list any more. Later is soon enough, so it tells nothing. */
void fleet__cert_tidy(struct engine *en);
