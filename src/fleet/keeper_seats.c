/* What HAProxy said at the last look of those in the seats, by app and version. */
#include "fleet/keeper_int.h"

#include "base/buf.h"
#include "base/log.h"
#include "base/strs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void on_adopt(void *ctx, const struct gateway_slot *is)
{
    char app[80], slot[12], address[64];
    int64_t n;

    if (is->state == GATEWAY_MAINT || is->backend.len < 5 ||
        is->backend.len - 4 >= sizeof(app) || is->server.len < 2 || is->server.data[0] != 's')
        return;
    snprintf(app, sizeof(app), "%.*s", (int)is->backend.len - 4, is->backend.data + 4);
    snprintf(slot, sizeof(slot), "%.*s", (int)is->server.len - 1, is->server.data + 1);
    snprintf(address, sizeof(address), "%.*s", STR_FMT(is->address));
    if (!str_to_int(slot, &n) || n < 1 || n > GATEWAY_SLOTS_MAX)
        return;
    struct seat *seat = &front__get_seats(ctx, app, (unsigned)n)->at[n - 1];
    str_copy(seat->address, sizeof(seat->address), address);
    seat->server.port = (unsigned)is->port;
}

void front__adopt(struct front *f, int timeout_ms)
{
    struct buf text = BUF_INIT;
    struct err e; /* it is not there yet */

    if (gateway_ask(f->runtime, "show servers state", timeout_ms, &text, &e) == 0 &&
        gateway_read_slots((struct str){text.data, text.len}, on_adopt, f, &e) < 0)
        log_warn("keeper", "adopt", "why=\"%s\"", e.msg);
    buf_release(&text);
}

static const struct seats *seats_for(const struct front *f, const char *app, bool next)
{
    char *name = front__name(app, next ? FRONT_NEXT : "");
    const struct seats *s = front__seats(f, name);

    free(name);
    return s;
}

const struct seat *front__seat(const struct front *f, const char *app, const char *task)
{
    const struct seats *s = seats_for(f, app, false);

    for (unsigned i = 0; s && i < s->count; i++)
        if (strcmp(s->at[i].task, task) == 0)
            return &s->at[i];
    return NULL;
}

/* Does a container of this version sit there? */
static bool has(const struct seat *seat, int version)
{
    char name[sizeof(seat->version)];

    snprintf(name, sizeof(name), "v%d", version % 100000);
    return seat->server.version && strcmp(seat->version, name) == 0;
}

int front__up(const struct front *f, const char *app, bool next, int version)
{
    const struct seats *s = seats_for(f, app, next);
    int n = 0;

    for (unsigned i = 0; s && i < s->count; i++)
        n += s->at[i].up && s->at[i].ready && has(&s->at[i], version);
    return n;
}

struct front_health front__health(const struct front *f, const char *app, int version)
{
    const struct seats *s = seats_for(f, app, false);
    struct front_health ret = {0};

    for (unsigned i = 0; s && i < s->count; i++) {
        const struct seat *seat = &s->at[i];
        if (!has(seat, version))
            continue;
        ret.up |= seat->up;
        ret.well |= seat->up && seat->checked;
        ret.lost |= seat->met && !seat->up;
    }
    return ret;
}

void front__new(const struct front *f, const char *app, int version, uint64_t *requests,
                uint64_t *errors)
{
    const struct seats *s = seats_for(f, app, false);

    for (unsigned i = 0; s && i < s->count; i++) {
        if (!has(&s->at[i], version))
            continue;
        *requests += s->at[i].new_requests;
        *errors += s->at[i].new_errors;
    }
}

uint64_t front__queued(const struct front *f, const char *app)
{
    const struct seats *s = seats_for(f, app, false);

    return s ? s->queued : 0;
}

uint64_t front__busy(const struct front *f, const char *app, int version)
{
    const struct seats *s = seats_for(f, app, false);
    uint64_t n = 0;

    for (unsigned i = 0; s && i < s->count; i++)
        if (has(&s->at[i], version))
            n += s->at[i].current;
    return n;
}
