/*
 * Private to fleet/: secrets that were replaced while versions run that have an older one. What
 * a container was given cannot change, and the Swarm shows a secret to nobody but whom it is
 * given to. So the keeper is given the newest ones, and brings them into the memory of the
 * containers of Maya, into a folder that counts more. The next deploy refers to the newest
 * anyway; when nothing refers to an older one any more, the keeper has it no longer.
 */
#pragma once

#include "fleet/fleet_int.h"

/* On the containers' tmpfs; MAYA_SECRETS_DIR names it. */
#define ROTATED_FOLDER "/tmp/secrets"
#define ROTATED_KEEPER "maya-keeper"
#define ROTATED_SUFFIX ".secret" /* behind the Swarm's name: the file that the keeper has */

/* rotated.c: pure but for what takes an engine */

/* Have a Maya look there, unless her environment says where she looks. */
void rotated__environment(json_t *env);
/* Does this service's Maya look there? */
bool rotated__takes(const json_t *service);
/* Has this service an older one of that name? `newest`: a row of rotated__wanted(). */
bool rotated__older(const json_t *service, const json_t *newest);
/* What the keeper is to have: [{"name", "id", "swarm_name"}], by name; a new reference. */
json_t *rotated__wanted(const json_t *services, const json_t *secrets) MUST_USE;
/* The same of what there is now. */
int rotated__list(struct engine *en, json_t **ret, struct err *e) MUST_USE;
/*
 * What of these rows of secrets a running version has by now: the newest of those that were
 * brought to it. A new reference.
 */
int rotated__had(struct engine *en, const json_t *service, const json_t *rows, json_t **ret,
                 struct err *e) MUST_USE;
/* Add them to what a service is given. */
void rotated__mount(json_t *given, const json_t *wanted);

/*
 * Is the keeper, as it stands among these services, given something else? Then it is given
 * this; what it has too much only if `all`. That starts it anew.
 */
#define ROTATED_MISSING 1U
#define ROTATED_EXTRA 2U
unsigned rotated__differs(const json_t *services, const json_t *wanted);
int rotated__give(struct engine *en, const json_t *services, const json_t *wanted, bool all,
                  struct err *e) MUST_USE;

/* keeper_secrets.c: brings them, on a thread of its own, as a container may not answer. */

struct bringer;
struct bringer *bringer__new(struct engine *en) MUST_USE; /* to where this one is */
void bringer__free(struct bringer **ref);
