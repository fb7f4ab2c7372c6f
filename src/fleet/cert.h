/*
 * Private to fleet/: the certificates of apps, for the gateway. Each is a secret of the Swarm,
 * certificate and key in one, that only the keeper is given; another one is another secret, as
 * a secret cannot be changed. An app shows one at most. The newest for each list of names that
 * a version of its history may be asked for by is kept beside it, for who goes back to that.
 * They are told apart by the ids of their secrets.
 */
#pragma once

#include "base/err.h"
#include "base/must.h"
#include "fleet/spec.h"

#include <jansson.h>

/* Can what the spec names be shown to people? As fleet__cert_keep(), and nothing is changed. */
int fleet__cert_check(const struct spec *s, struct err *e) MUST_USE;
/*
 * Keep what the spec's files hold, and do not show it yet. *ret: its id, NULL when the spec
 * names none; free it. *ret_made: it was not kept before. ERR_CONFIG with one sentence when it
 * cannot be shown to people.
 */
int fleet__cert_keep(struct engine *en, const struct spec *s, char **ret, bool *ret_made,
                     struct err *e) MUST_USE;
/* The one for a spec that was deployed before, as above; ERR_CONFIG when none is kept. */
int fleet__cert_find(struct engine *en, const struct spec *s, char **ret,
                     struct err *e) MUST_USE;
/* Which the app shows; *ret NULL: none. Free it. */
int fleet__cert_shown(struct engine *en, const char *app, char **ret, struct err *e) MUST_USE;
/* The app shows this one, NULL: none. The keeper has to be told (fleet__front()). */
int fleet__cert_show(struct engine *en, const char *app, const char *id,
                     struct err *e) MUST_USE;
/* Delete one that is not shown. */
void fleet__cert_forget(struct engine *en, const char *id);
/* Those that are shown. *ret: [{"app", "id", "swarm_name"}], by app; the caller's reference. */
int fleet__cert_list(struct engine *en, json_t **ret, struct err *e) MUST_USE;
/* Delete those that nobody may need any more. Later is soon enough, so it tells nothing. */
void fleet__cert_tidy(struct engine *en);
