/* Private to fleet/: the volumes that came with an app of which no version ever served. */
#pragma once

#include "fleet/rollout.h"
#include "fleet/spec.h"

/*
 * *ret: the volumes that the app's first version would bring with it, names; none when a
 * version of it has served, or when they are there. The caller's reference.
 */
int remains__look(struct engine *en, const struct app *a, const struct spec *s, json_t **ret,
                  struct err *e) MUST_USE;
/* They go again, once no container has them: nobody else has made them, and nobody uses them.
 */
void remains__remove(const struct rollout *r, const json_t *volumes);
