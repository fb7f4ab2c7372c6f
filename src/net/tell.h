/*
 * tell: a port that tells one short line to whoever asks, and closes. Made for HAProxy's agent
 * check (configuration manual, "agent-check"). Part of net.h, where a page would not hold it.
 *
 * Hard to abuse: it reads at most 32 bytes, waits a tenth of a second for them, holds few
 * connections and no memory for any, and says nothing but the line.
 */
#pragma once

#include "base/err.h"
#include "base/must.h"
#include "base/strs.h"

#include <stddef.h>

struct loop;
struct net_tell;

#define TELL_LINE_MAX 64 /* of the line, with its end and the NUL */

/* What to say to who said `asked`, which may be nothing. */
typedef void net_tell_fn(void *ctx, struct str asked, char ret[TELL_LINE_MAX]);

/* `host` as in struct http_cfg, but no socket file; port 0 is any free one. */
int net_tell_new(struct loop *l, const char *host, int port, net_tell_fn *fn, void *ctx,
                 struct net_tell **ret, struct err *e) MUST_USE;
int net_tell_port(const struct net_tell *s);
void net_tell_free(struct net_tell **s); /* its handles are closed as the loop turns */
