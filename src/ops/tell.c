/*
 * What a gateway may know of this container: HAProxy's agent check. docs/gateway.md has the
 * table. It asks with "N%", this container's share of new sessions, and gets the part of that
 * for which there is room; by the same numbers admission goes by.
 */
#include "ops/ops_int.h"

#include <ctype.h>
#include <stdio.h>

#define SHARE_MAX 256 /* HAProxy's largest weight */

/* What stands before the '%', or 100. */
static unsigned share_of(struct str asked)
{
    unsigned n = 0;
    size_t i = 0;

    while (i < asked.len && isdigit((unsigned char)asked.data[i]) && n <= SHARE_MAX)
        n = 10 * n + (unsigned)(asked.data[i++] - '0');
    if (i == 0 || i == asked.len || asked.data[i] != '%')
        return 100;
    return n < SHARE_MAX ? n : SHARE_MAX;
}

void ops_tell(void *ctx, struct str asked, char ret[TELL_LINE_MAX])
{
    const struct ops *o = ctx;
    unsigned share = share_of(asked), part = share * session_room(o->cfg.sessions) / 100;

    if (!o->http || http_server_draining(o->http)) {
        snprintf(ret, TELL_LINE_MAX, "drain\n");
    } else if (o->failed[OPS_CHECK_STORE] || o->failed[OPS_CHECK_AGENT]) {
        snprintf(
            ret, TELL_LINE_MAX, "down #%s\n",
            ops__check_label(o->failed[OPS_CHECK_STORE] ? OPS_CHECK_STORE : OPS_CHECK_AGENT));
    } else { /* full is not gone: where all are full, somebody has to say so */
        snprintf(ret, TELL_LINE_MAX, "up %u%%\n", part || !share ? part : 1);
    }
}
