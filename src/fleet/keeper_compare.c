/*
 * What HAProxy says of itself, held beside what is wanted: what differs is told to it, and what
 * it knows of the containers is noted in their seats.
 */
#include "fleet/keeper_int.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/strs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MS 3000

struct asked {
    struct front *f;
    const struct gateway_plan *p;
    struct err *e;
    int rc, changed;
    int64_t now_ms;
};

static struct seat *seat_of(struct front *f, const char *backend, size_t len,
                            const char *server, const struct gateway_plan *p,
                            const struct gateway_app **ret_app, unsigned *ret_slot)
{
    int64_t slot;
    char number[12];

    if (len < 5 || strncmp(backend, "app-", 4) != 0 || server[0] != 's')
        return NULL;
    str_copy(number, sizeof(number), server + 1);
    if (!str_to_int(number, &slot) || slot < 1)
        return NULL;
    for (size_t i = 0; i < p->app_count; i++) {
        const struct gateway_app *a = &p->apps[i];
        if (strlen(a->name) != len - 4 || strncmp(a->name, backend + 4, len - 4) != 0)
            continue;
        struct seats *s = front__find(f, a->name);
        if (!s || slot > s->count)
            return NULL;
        *ret_app = a;
        *ret_slot = (unsigned)slot;
        return &s->at[slot - 1];
    }
    return NULL;
}

/* Is it the server of an app's place to wait? */
static const struct gateway_app *waiting_of(const struct gateway_plan *p, struct str backend,
                                            struct str server)
{
    if (!str_eq(server, GATEWAY_WAIT) || backend.len < 5)
        return NULL;
    for (size_t i = 0; i < p->app_count; i++)
        if (str_eq((struct str){backend.data + 4, backend.len - 4}, p->apps[i].name))
            return &p->apps[i];
    return NULL;
}

static bool any_up(const struct seats *s)
{
    for (unsigned i = 0; i < s->count; i++)
        if (s->at[i].up && s->at[i].server.version && s->at[i].server.state == GATEWAY_READY)
            return true;
    return false;
}

/* Whoever queues for the place to wait goes on as soon as there is somebody to go to. */
static void on_queue(struct asked *x, const struct gateway_app *a, uint64_t queued)
{
    struct seats *s = front__find(x->f, a->name);

    if (!s)
        return;
    s->queued = queued;
    if (queued == 0 || !any_up(s))
        return;
    log_info("keeper", "release", "app=%s requests=%llu", a->name, (unsigned long long)queued);
    if (gateway_release(x->f->runtime, a, TIMEOUT_MS, x->e) < 0)
        x->rc = -1;
}

static bool same_place(const struct seat *seat, const struct gateway_slot *is)
{
    if (!seat->server.version)
        return is->state == GATEWAY_MAINT;
    return str_eq(is->address, seat->address) && is->port == seat->server.port;
}

/* What it is found to be, before anything is changed. */
static void hear(struct seat *seat, const struct gateway_slot *is)
{
    seat->up = is->up;
    if (!same_place(seat, is))
        return;
    seat->ready &= is->up;
    if (is->state != GATEWAY_MAINT) /* there it is asked nothing */
        seat->server.down = !is->up;
}

static void on_slot(void *ctx, const struct gateway_slot *is)
{
    struct asked *x = ctx;
    const struct gateway_app *a;
    unsigned slot, *weights;
    char server[16];
    int rc = 0;

    if ((a = waiting_of(x->p, is->backend, is->server)) && x->rc == 0 &&
        is->state != GATEWAY_READY) /* a keeper ended while it let them go */
        x->rc = gateway_release(x->f->runtime, a, TIMEOUT_MS, x->e);
    snprintf(server, sizeof(server), "%.*s", STR_FMT(is->server));
    struct seat *seat =
        seat_of(x->f, is->backend.data, is->backend.len, server, x->p, &a, &slot);
    if (!seat || x->rc < 0)
        return;
    hear(seat, is);
    weights = xalloc((a->server_count + 1) * sizeof(*weights));
    gateway_weights(a, weights);
    unsigned weight = weights[slot - 1];
    free(weights);
    if (!same_place(seat, is)) {
        struct gateway_server comes = seat->server;
        comes.down = !seat->proven;
        rc = gateway_set_slot(x->f->runtime, a, slot, &comes, weight, TIMEOUT_MS, x->e);
        seat->put_down = rc == 0 && comes.version && comes.down;
        seat->up = false;
    } else if (seat->server.version && is->state != seat->server.state) {
        bool down = seat->server.state == GATEWAY_READY && seat->server.down;
        rc = down ? gateway_set_down(x->f->runtime, a, slot, TIMEOUT_MS, x->e)
                  : gateway_set_state(x->f->runtime, a, slot, seat->server.state, TIMEOUT_MS,
                                      x->e);
        seat->up &= !down;
    } else if (seat->server.version && is->weight != weight)
        rc = gateway_set_weight(x->f->runtime, a, slot, weight, TIMEOUT_MS, x->e);
    else
        return;
    x->changed++;
    if (rc < 0)
        x->rc = -1;
}

static void on_stat(void *ctx, const struct gateway_stat *st)
{
    struct asked *x = ctx;
    const struct gateway_app *a;
    unsigned slot;
    char server[16];

    if ((a = waiting_of(x->p, st->backend, st->server)) && x->rc == 0)
        on_queue(x, a, st->queued);
    snprintf(server, sizeof(server), "%.*s", STR_FMT(st->server));
    struct seat *seat =
        seat_of(x->f, st->backend.data, st->backend.len, server, x->p, &a, &slot);
    if (!seat)
        return;
    seat->current = st->current;
    /* A server that was just put there is up until a check fails, unless it was put down; its
     * slot's last check may have been another's. "* " before it: the next one is under way. */
    static const char fine[] = "L7OK";
    size_t n = sizeof(fine) - 1;
    seat->checked = st->check.len >= n &&
                    memcmp(st->check.data + st->check.len - n, fine, n) == 0 &&
                    (seat->put_down || x->now_ms - seat->since_ms > FRONT_CHECK_MS * 3 / 2);
    /* One that is ready stays so while HAProxy starts anew; no other gets so meanwhile, when
     * it is up because nobody has asked it yet, or was asked as another configuration said. */
    seat->ready |= seat->up && seat->checked && x->f->current;
    seat->met |= seat->up && seat->ready;
    uint64_t errors = st->server_errors + st->response_errors + st->connect_errors;
    /* Lower than before: another HAProxy counts, from 0. What another container had, is not
     * its.
     */
    seat->new_requests = st->requests - (st->requests >= seat->requests ? seat->requests : 0);
    seat->new_errors = errors - (errors >= seat->errors ? seat->errors : 0);
    if (!seat->counted)
        seat->new_requests = seat->new_errors = 0;
    seat->counted = true;
    seat->requests = st->requests;
    seat->errors = errors;
}

int front__compare(struct front *f, const struct gateway_plan *p, int64_t now_ms, struct err *e)
{
    struct asked x = {.f = f, .p = p, .e = e, .now_ms = now_ms};
    struct buf text = BUF_INIT;
    int rc = gateway_ask(f->runtime, "show servers state", TIMEOUT_MS, &text, e);

    if (rc == 0)
        rc = gateway_read_slots((struct str){text.data, text.len}, on_slot, &x, e);
    if (rc == 0)
        rc = x.rc;
    buf_clear(&text);
    if (rc == 0)
        rc = gateway_ask(f->runtime, "show stat", TIMEOUT_MS, &text, e);
    if (rc == 0)
        rc = gateway_read_stat((struct str){text.data, text.len}, on_stat, &x, e);
    if (rc == 0)
        rc = x.rc;
    buf_release(&text);
    return rc;
}
