/* The door to the keeper, for the command that runs it. Part of fleet.h. */
#pragma once

#include "base/err.h"
#include "base/must.h"

#include <signal.h>

struct engine;

/* What the gateway and the keeper share, in the container of either. */
#define FLEET_GATEWAY_FOLDER "/run/maya"
/* In the environment of the gateway's container: what tells it from the one before. */
#define FLEET_GATEWAY_INSTANCE "MAYA_GATEWAY"

struct fleet_keeper_cfg {
    const char *folder; /* shared with the gateway: configuration, sockets, certificates */
    int http_port, https_port; /* of the gateway; 0: none */
    const volatile sig_atomic_t *stop;
};
/* Runs until *stop. Errors of a look are logged, and it looks again. */
int fleet_keeper(struct engine *en, const struct fleet_keeper_cfg *cfg, struct err *e) MUST_USE;
