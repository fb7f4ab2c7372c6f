/* A running gateway and a plan: what is different is changed, and nothing else is touched. */
#include "gateway/gateway_int.h"

#include "base/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct sync {
    const struct gateway_app *app;
    const unsigned *weights;
    bool seen[GATEWAY_SLOTS_MAX];
    bool same[GATEWAY_SLOTS_MAX];  /* this container is there already */
    bool rests[GATEWAY_SLOTS_MAX]; /* and its state too */
};

static void on_slot(void *ctx, const struct gateway_slot *s)
{
    struct sync *y = ctx;
    const struct gateway_app *a = y->app;
    char backend[64], number[16];
    int64_t n;

    snprintf(backend, sizeof(backend), "app-%s", a->name);
    snprintf(number, sizeof(number), "%.*s", STR_FMT(s->server));
    if (!str_eq(s->backend, backend) || number[0] != 's' || !str_to_int(number + 1, &n) ||
        n < 1 || n > a->slots)
        return;
    size_t i = (size_t)n - 1;
    const struct gateway_server *want = i < a->server_count ? &a->servers[i] : NULL;
    bool empty = !want || !want->version;
    y->seen[i] = true;
    y->same[i] = empty ? s->state == GATEWAY_MAINT
                       : s->port == want->port && str_eq(s->address, want->address) &&
                             (!a->agent || s->agent_port == want->agent_port);
    y->rests[i] = y->same[i] && (empty || s->state == want->state);
}

static int change(const char *runtime, const struct sync *y, unsigned i, int timeout_ms,
                  struct err *e)
{
    static const struct gateway_server nobody = {.version = NULL};
    const struct gateway_app *a = y->app;
    const struct gateway_server *want = i < a->server_count ? &a->servers[i] : &nobody;

    if (!y->same[i])
        return gateway_set_slot(runtime, a, i + 1, want, y->weights[i], timeout_ms, e);
    if (!want->version)
        return 0;
    if (gateway_set_weight(runtime, a, i + 1, y->weights[i], timeout_ms, e) < 0)
        return -1;
    return y->rests[i] ? 0 : gateway_set_state(runtime, a, i + 1, want->state, timeout_ms, e);
}

int gateway_sync(const char *runtime, const struct gateway_app *a, int timeout_ms,
                 struct err *e)
{
    unsigned *weights = xalloc((a->slots + 1) * sizeof(*weights));
    struct sync *y = xalloc(sizeof(*y));
    struct buf out = BUF_INIT;
    int rc = gateway_ask(runtime, "show servers state", timeout_ms, &out, e);

    gateway_weights(a, weights);
    y->app = a;
    y->weights = weights;
    if (rc == 0)
        rc = gateway_read_slots((struct str){buf_text(&out), out.len}, on_slot, y, e);
    for (unsigned i = 0; rc == 0 && i < a->slots; i++)
        if (!y->seen[i])
            rc =
                err_set(e, ERR_INVALID, 0,
                        "the gateway has no slot %u for app '%s'; give it the configuration of "
                        "this plan first",
                        i + 1, a->name);
    /* Those that come before those that go, so that somebody is always there. */
    for (unsigned turn = 0; turn < 2; turn++)
        for (unsigned i = 0; rc == 0 && i < a->slots; i++) {
            bool comes = i < a->server_count && a->servers[i].version &&
                         a->servers[i].state == GATEWAY_READY;
            if (comes == (turn == 0))
                rc = change(runtime, y, i, timeout_ms, e);
        }
    buf_release(&out);
    free(weights);
    free(y);
    return rc;
}
