/* Private to fleet/: waiting for the containers of a version that was started. */
#pragma once

#include "fleet/rollout.h"

struct ready {
    const char *service;
    int number, containers; /* so many are to answer */
    int within_s;
};
/* ERR_IO with why it is not ready: it does not start, ends by itself, or takes too long. */
int ready__wait(const struct rollout *r, const struct ready *w, struct err *e) MUST_USE;
