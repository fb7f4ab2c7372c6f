/* Numbers of containers, from what they tell to what Swarm is told. */
#include "fleet/keeper_resize.h"

#include "base/alloc.h"
#include "base/log.h"
#include "base/strs.h"
#include "engine/engine.h"
#include "fleet/keeper_scale.h"
#include "fleet/keeper_wait.h"
#include "fleet/scrape.h"
#include "metric/metric.h"

#include <stdlib.h>
#include <string.h>

#define DECIDE_MS 1000
#define SCRAPE_MS 700
#define STUCK_MS 10000 /* beyond the grace */

struct sizing {
    char app[SPEC_NAME_MAX + 1];
    struct scale scale;
    char leaving[32]; /* the task that is being emptied, or "" */
    int version;      /* of it */
    int64_t leaving_ms, decided_ms;
    bool told;        /* to end */
    bool ends_soon;   /* it is to be told */
    bool waits;       /* a request waits for a container */
    const char *said; /* why nothing was done, so that it is logged once */
    unsigned out, in; /* decisions so far */
    bool seen;
};

struct resize {
    struct engine *en;
    struct sizing *apps;
    size_t count;
};

struct resize *resize__new(struct engine *en)
{
    struct resize *r = xalloc(sizeof(*r));

    r->en = en;
    return r;
}

void resize__free(struct resize **r)
{
    if (*r)
        free((*r)->apps);
    free(*r);
    *r = NULL;
}

static struct sizing *sizing_of(struct resize *r, const char *app)
{
    for (size_t i = 0; i < r->count; i++)
        if (strcmp(r->apps[i].app, app) == 0)
            return &r->apps[i];
    r->apps = xrealloc(r->apps, (r->count + 1) * sizeof(*r->apps));
    struct sizing *z = &r->apps[r->count++];
    *z = (struct sizing){.seen = true};
    str_copy(z->app, sizeof(z->app), app);
    return z;
}

static struct seen_task *task_of(struct seen_app *a, const char *id)
{
    for (size_t i = 0; i < a->task_count; i++)
        if (strcmp(a->tasks[i].id, id) == 0)
            return &a->tasks[i];
    return NULL;
}

void resize__mark(struct resize *r, struct world *w)
{
    for (size_t i = 0; i < r->count; i++)
        r->apps[i].seen = false;
    for (size_t i = 0; i < w->count; i++) {
        struct sizing *z = sizing_of(r, w->apps[i].name);
        struct seen_task *t = *z->leaving ? task_of(&w->apps[i], z->leaving) : NULL;
        z->seen = true;
        if (t)
            t->leaving = true;
    }
    for (size_t i = 0; i < r->count;)
        if (r->apps[i].seen) {
            i++;
        } else {
            wait__target(r->apps[i].app, NULL, 0, 0, 0);
            r->apps[i] = r->apps[--r->count];
        }
}

bool resize__hurries(const struct resize *r)
{
    for (size_t i = 0; i < r->count; i++)
        if (r->apps[i].told || r->apps[i].ends_soon || r->apps[i].waits)
            return true;
    return false;
}

static void forget(struct sizing *z)
{
    z->leaving[0] = '\0';
    z->told = z->ends_soon = false;
}

static void complain(const struct sizing *z, const char *what, const struct err *e)
{
    log_warn("keeper", what, "app=%s why=\"%s\"", z->app, e->msg);
}

/* Leaving */

static void drop_slot(struct resize *r, struct sizing *z, const struct seen_version *v)
{
    struct err e;

    if (v->wanted > 0 &&
        fleet__service_scale(r->en, fleet__name(v->service), v->wanted - 1, &e) < 0)
        complain(z, "scale_in", &e);
    else
        log_info("keeper", "scaled_in", "app=%s to=%d task=%.12s in=%u", z->app, v->wanted - 1,
                 z->leaving, z->in);
    forget(z);
}

static void tell_to_end(struct resize *r, struct sizing *z, const struct seen_task *t,
                        const struct seen_version *v)
{
    struct err e;

    if (engine_json(r->en, "POST", NULL, NULL, &e, "/containers/%s/kill?signal=SIGTERM",
                    t->container) == 0) {
        z->told = true;
        return;
    }
    /* It runs on a node that this engine does not speak for. Any is as good: all is durable. */
    complain(z, "swarm_chooses", &e);
    drop_slot(r, z, v);
}

static void see_leave(struct resize *r, struct sizing *z, struct seen_app *a,
                      const struct seen_version *v, const struct front *f, int64_t now_ms)
{
    const struct seen_task *t = task_of(a, z->leaving);
    const struct seat *seat = front__seat(f, a->name, z->leaving);
    int64_t waited = now_ms - z->leaving_ms, drain_ms = spec_int(a->spec, SPEC_DRAIN) * 1000;

    if (z->told) {
        if (!t || waited > drain_ms + spec_stop_grace_s(a->spec) * INT64_C(1000) + STUCK_MS)
            drop_slot(r, z, v);
        return;
    }
    if (!t) {
        forget(z); /* it ended by itself, and is replaced */
        return;
    }
    bool maya = spec_is_maya(a->spec);
    if (waited < (maya ? SETTLE_MAYA_MS : SETTLE_MS))
        return;
    bool busy = (seat && seat->current) || front__reloaded(f, now_ms, drain_ms);
    /* Maya answers what she has, and lets go of those who only watch. */
    if (!busy || waited >= drain_ms || maya)
        tell_to_end(r, z, t, v);
}

/* Numbers */

/* A container that people come to, and what it said. */
struct asked {
    const struct seen_task *task;
    const struct seat *seat;
};

static size_t who_answers(struct seen_app *a, const struct seen_version *v,
                          const struct front *f, struct asked *ret)
{
    size_t n = 0;

    for (size_t i = 0; i < a->task_count; i++) {
        const struct seen_task *t = &a->tasks[i];
        const struct seat *seat = front__seat(f, a->name, t->id);
        if (t->version == v->number && seat && seat->up && !t->leaving)
            ret[n++] = (struct asked){t, seat};
    }
    return n;
}

static void read_metrics(const struct buf *text, struct scale_container *ret)
{
    double reserved, most, budget;

    if (!scrape__metric(text, metric_name(M_SESSION_RESERVED), NULL, &reserved) ||
        !scrape__metric(text, metric_name(M_MAX_SESSIONS), NULL, &most) ||
        !scrape__metric(text, metric_name(M_SESSION_BUDGET), NULL, &budget) || reserved < 0 ||
        most < 1 || budget < 1 || most * budget > 1e18 || reserved > 1e18)
        return;
    ret->used = (uint64_t)reserved;
    ret->room = (uint64_t)(most * budget);
    ret->known = true;
}

static void measure(const struct seen_app *a, const struct asked *who, size_t count,
                    struct scale_container *ret)
{
    struct scrape_target *targets = xalloc((count + 1) * sizeof(*targets));
    bool maya = spec_is_maya(a->spec);
    struct err e;

    for (size_t i = 0; i < count; i++) {
        targets[i] = (struct scrape_target){
            .address = who[i].task->address, .port = who[i].task->port, .path = "/metrics"};
        ret[i] = (struct scale_container){.used = who[i].seat->current,
                                          .room = (uint64_t)spec_int(a->spec, SPEC_SESSIONS),
                                          .busy = who[i].seat->current,
                                          .known = !maya};
    }
    if (maya && scrape__all(targets, count, SCRAPE_MS, &e) == 0) {
        for (size_t i = 0; i < count; i++)
            if (targets[i].answered)
                read_metrics(&targets[i].text, &ret[i]);
        scrape__release(targets, count);
    }
    free(targets);
}

static uint64_t requests_of(struct seen_app *a, const struct front *f)
{
    uint64_t n = 0;

    for (size_t i = 0; i < a->task_count; i++) {
        const struct seat *seat = front__seat(f, a->name, a->tasks[i].id);
        n += seat ? seat->requests + seat->current : 0;
    }
    return n;
}

/* Deciding */

static void carry_out(struct resize *r, struct sizing *z, const struct seen_version *v,
                      const struct scale_decision *d, const struct asked *who, int64_t now_ms)
{
    struct err e;

    /* Whoever is leaving may stay when it is needed, as long as it was not told to end. */
    if (*z->leaving && !z->told && d->need >= (unsigned)v->wanted) {
        log_info("keeper", "scale_keep", "app=%s task=%.12s need=%u", z->app, z->leaving,
                 d->need);
        forget(z);
    }
    if (d->what == SCALE_STAY && d->why == z->said)
        return;
    z->said = d->why;
    z->out += d->what == SCALE_OUT;
    z->in += d->what == SCALE_IN;
    log_info("keeper",
             d->what == SCALE_OUT  ? "scale_out"
             : d->what == SCALE_IN ? "scale_in"
                                   : "scale_stay",
             "app=%s from=%d to=%u need=%u peak=%u used=%llu expected=%llu room=%llu out=%u "
             "in=%u why=\"%s\"",
             z->app, v->wanted, d->to, d->need, d->peak, (unsigned long long)d->used,
             (unsigned long long)d->expected, (unsigned long long)d->room, z->out, z->in,
             d->why);
    if (d->what == SCALE_OUT &&
        fleet__service_scale(r->en, fleet__name(v->service), (int)d->to, &e) < 0)
        complain(z, "scale_out", &e);
    if (d->what != SCALE_IN)
        return;
    if (d->chosen == SIZE_MAX) { /* none answers, so none is better than another */
        drop_slot(r, z, v);
        return;
    }
    str_copy(z->leaving, sizeof(z->leaving), who[d->chosen].task->id);
    z->leaving_ms = now_ms;
    z->version = v->number;
    z->told = false;
}

static void decide(struct resize *r, struct sizing *z, struct seen_app *a,
                   const struct seen_version *v, const struct front *f, int64_t now_ms)
{
    const struct scale_rule rule = {
        .min = (unsigned)spec_int(a->spec, SPEC_MIN_CONTAINERS),
        .max = (unsigned)spec_int(a->spec, SPEC_MAX_CONTAINERS),
        .buffer = (unsigned)spec_int(a->spec, SPEC_BUFFER_CONTAINERS),
        .window_ms = spec_int(a->spec, SPEC_SCALEDOWN) * 1000,
    };
    struct asked *who = xalloc((a->task_count + 1) * sizeof(*who));
    struct scale_container *at = xalloc((a->task_count + 1) * sizeof(*at));
    size_t n = who_answers(a, v, f, who);

    measure(a, who, n, at);
    const struct scale_seen seen = {
        .now_ms = now_ms,
        .rollout = a->version_count > 1,
        .leaving = *z->leaving != '\0',
        .waits = z->waits,
        .requests = requests_of(a, f),
        .wanted = (unsigned)v->wanted,
        .at = at,
        .count = n,
    };
    const struct scale_decision d = keeper__scale(&z->scale, &rule, &seen);
    carry_out(r, z, v, &d, who, now_ms);
    z->ends_soon = *z->leaving && spec_is_maya(a->spec);
    free(who);
    free(at);
}

static void see_to(struct resize *r, struct seen_app *a, const struct front *f, int64_t seen_ms,
                   int64_t now_ms)
{
    struct sizing *z = sizing_of(r, a->name);
    const struct seen_version *v = keeper__by_role(a, ROLE_STABLE);
    struct asked *who;

    z->waits = wait__count(a->name) > 0 || front__queued(f, a->name) > 0;
    if (!v || !a->spec) {
        wait__target(a->name, NULL, 0, 0, 0);
        forget(z);
        return;
    }
    if (*z->leaving && z->version != v->number)
        forget(z);
    who = xalloc((a->task_count + 1) * sizeof(*who));
    bool there = who_answers(a, v, f, who) > 0;
    wait__target(a->name, there ? who[0].task->address : NULL, there ? who[0].task->port : 0,
                 (unsigned)spec_int(a->spec, SPEC_READY_WITHIN), seen_ms);
    free(who);
    if (a->version_count > 1 && !z->told)
        forget(z); /* a rollout comes first */
    if (*z->leaving)
        see_leave(r, z, a, v, f, now_ms);
    else if (now_ms - z->decided_ms < DECIDE_MS && (!z->waits || there))
        return;
    if (z->told)
        return;
    z->decided_ms = now_ms;
    decide(r, z, a, v, f, now_ms);
}

void resize__run(struct resize *r, const struct front *f, struct world *w, int64_t seen_ms,
                 int64_t now_ms)
{
    for (size_t i = 0; i < w->count; i++)
        see_to(r, &w->apps[i], f, seen_ms, now_ms);
}
