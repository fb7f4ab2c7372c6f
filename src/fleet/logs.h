/*
 * What the containers of an app said, of all its versions, as one text by time. Part of the
 * door, fleet.h. Nothing is kept but what waits for its turn, and the last lines when those are
 * asked for.
 */
#pragma once

#include "base/err.h"
#include "base/must.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct engine;

struct fleet_log_line {
    const char *container; /* whole id */
    int version;
    int stream; /* 1: stdout, 2: stderr */
    int64_t time_ns;
    const char *text; /* without its newline, and a NUL behind it; may hold anything */
    size_t len;
};

struct fleet_logs {
    const char *app;
    const char *container;      /* only those whose id begins so; NULL: all */
    const char *grep;           /* only lines with this in them; NULL: all */
    int64_t since_ns, until_ns; /* unix time; 0: not said */
    long tail;                  /* the last so many lines; -1: all */
    /* Go on with what comes; containers that begin meanwhile are heard, too. `until_ns` is 0.
     */
    bool follow;
    /* false ends it, and it worked */
    bool (*on_line)(void *ctx, const struct fleet_log_line *line);
    void (*on_none)(void *ctx); /* while following: the app was stopped; or NULL */
    bool (*alive)(void *ctx);   /* asked several times a second while following; or NULL */
    void *ctx;
};

/* ERR_NOT_FOUND: no such app, or container. *ret_containers: how many there were to hear. */
int fleet_app_logs(struct engine *en, const struct fleet_logs *want, size_t *ret_containers,
                   struct err *e) MUST_USE;
