/*
 * Private to the keeper: carries out what keeper__scale() decides. More containers: Swarm is
 * told. One fewer: the one that is chosen is given nothing new, finishes, is stopped (what it
 * holds is durable, so its sessions go on elsewhere), and only when it has ended Swarm is told
 * to have one fewer: of the slots of a service it drops those first in which nothing runs.
 */
#pragma once

#include "fleet/keeper_int.h"

struct resize;
struct resize *resize__new(struct engine *en);
void resize__free(struct resize **r);
/* Before the gateway is told: mark the containers that are to get nothing new. */
void resize__mark(struct resize *r, struct world *w);
/* After that: decide, and do. Takes up to a second when containers do not answer. `seen_ms`:
 * when looking began. */
void resize__run(struct resize *r, const struct front *f, struct world *w, int64_t seen_ms,
                 int64_t now_ms);
/* Look again soon: a container is on its way out, and shall be gone for a short time only, or
 * somebody waits for one. */
bool resize__hurries(const struct resize *r);
