/*
 * Private to the keeper: containers that hang, of apps that are not Maya (she has a health
 * check in her image; nothing of ours is in theirs). One that was ready once, and that HAProxy
 * finds down, is asked `health.path` every `health.interval`; after `health.retries` bad
 * answers in a row it is killed, and the Swarm starts another. Bad is none within
 * `health.timeout`, and 5xx: who answers anything else is alive. One of an app at a time.
 */
#pragma once

#include "fleet/keeper_int.h"

struct hung;
struct hung *hung__new(void) MUST_USE;
void hung__free(struct hung **ref);
/* After a sync that worked. Takes a few hundredths of a second while anybody is asked. */
void hung__look(struct hung *h, struct engine *en, const struct front *f, struct world *w,
                int64_t now_ms);
