/*
 * Private to the keeper: where requests wait for the first container of an app that has none.
 * For each such app a socket that HAProxy comes to when nobody else is there (its backup
 * server). A request that came is held, unread, until the app has a container that answers, and
 * is then passed on to that one, byte by byte; whoever sent it sees nothing but the time. After
 * `within_s` it is answered 504 `no_container`, with a header by which the gateway knows it.
 *
 * Runs on threads of its own; these calls come from the keeper's.
 */
#pragma once

#include "base/err.h"
#include "base/must.h"

#include <stdbool.h>
#include <stdint.h>

#define WAIT_MAX 256 /* requests held or passed on, over all apps; more are answered 503 */
#define WAIT_PATH_MAX 100

/* Requests of the app that wait now. 0 for an app that has no such place. */
unsigned wait__count(const char *app);
/* Wait so long, or until somebody begins to wait, or a signal comes. */
void wait__pause(int ms);
/* See that the app has its place at `path`. Once is enough. */
int wait__open(const char *app, const char *path, struct err *e) MUST_USE;
/* Where a container of the app was seen to answer; address NULL: nowhere (any more). */
void wait__target(const char *app, const char *address, unsigned port, unsigned within_s,
                  int64_t seen_ms);
