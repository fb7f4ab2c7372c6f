/* The steps of a rollout, and the two that a person takes: promote and discard. */
#include "fleet/rollout.h"

#include "base/buf.h"
#include "base/strs.h"
#include "engine/engine.h"
#include "fleet/fleet.h"
#include "fleet/show.h"
#include "fleet/trial.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_MS 100
#define SERVED_S 30
#define HAND_OVER_S 90 /* beyond the drain, for the old one to go */

void rollout__say(const struct rollout *r, const char *fmt, ...)
{
    struct buf text = BUF_INIT;
    va_list ap;

    if (!r->on_line)
        return;
    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    r->on_line(r->ctx, buf_text(&text));
    buf_release(&text);
}

int rollout__pause(const struct rollout *r, struct err *e)
{
    json_t *nothing = NULL;

    poll(NULL, 0, LOOK_MS);
    if (r->lock)
        fleet__lock_renew(r->lock);
    /* Any call tells of a stop. */
    int rc = engine_json(r->en, "GET", NULL, &nothing, e, "/version");
    json_decref(nothing);
    return rc;
}

struct turn {
    enum fleet_role from, to;
    int weight;
    bool late;
};

static void turn(void *ctx, json_t *spec)
{
    struct turn *t = ctx;
    json_t *labels = json_object_get(spec, "Labels");
    const char *is = fleet__text(labels, LABEL_ROLE);
    char weight[16];

    t->late = t->from != ROLE__COUNT && strcmp(is, fleet__role_text(t->from)) != 0;
    if (t->late)
        return;
    snprintf(weight, sizeof(weight), "%d", t->weight);
    json_object_set_new(labels, LABEL_ROLE, json_string(fleet__role_text(t->to)));
    json_object_set_new(labels, LABEL_WEIGHT, json_string(weight));
    json_object_del(labels, LABEL_WAITS);
    if (t->to != ROLE_STABLE)
        json_object_del(labels, LABEL_WATCH);
}

int fleet__turn(struct engine *en, const char *service, enum fleet_role from,
                enum fleet_role to, int weight, struct err *e)
{
    struct turn t = {.from = from, .to = to, .weight = weight};

    if (fleet__service_change(en, service, turn, &t, e) < 0)
        return -1;
    return t.late ? err_set(e, ERR_CONFLICT, 0, "%s is not what it was a moment ago", service)
                  : 0;
}

/* Until the gateway sends people to it, or somebody took it back. */
static void wait_served(const struct rollout *r, const char *service)
{
    int64_t until = fleet__now_ms() + SERVED_S * 1000, serves = 0;
    struct err e;

    while (serves == 0 && fleet__now_ms() < until) {
        json_t *s = NULL;
        if (engine_json(r->en, "GET", NULL, &s, &e, "/services/%s", service) < 0)
            return;
        if (!str_to_int(fleet__label(s, LABEL_SERVES), &serves))
            serves = 0;
        bool back = fleet__role(s) != ROLE_STABLE;
        json_decref(s);
        if (back)
            return;
        if (serves == 0 && rollout__pause(r, &e) < 0)
            return;
    }
}

/* Before it serves, so that the one before is never let go too early. */
static int have_watched(const struct rollout *r, const char *service, struct err *e)
{
    char seconds[24];
    const char *const label[] = {LABEL_WATCH, seconds, NULL};
    struct app a;

    if (r->watch_s == 0)
        return 0;
    if (fleet__app_read(r->en, r->app, &a, e) < 0)
        return -1;
    bool alone = !fleet__running(&a, ROLE_STABLE);
    fleet__app_release(&a);
    snprintf(seconds, sizeof(seconds), "%lld", (long long)r->watch_s);
    return alone ? 0 : fleet__service_label(r->en, service, label, e);
}

int rollout__hand_over(const struct rollout *r, int number, struct err *e)
{
    char *service = fleet__object(r->app, number);
    struct app a;
    int rc = have_watched(r, service, e);

    if (rc == 0)
        rc = fleet__turn(r->en, service, ROLE__COUNT, ROLE_STABLE, 100, e);
    /* From here on the keeper would go on by itself. */
    engine_unstop(r->en);
    if (rc == 0)
        wait_served(r, service);
    free(service);
    if (rc < 0 || fleet__app_read(r->en, r->app, &a, e) < 0)
        return -1;
    for (size_t i = 0; rc == 0 && i < a.count; i++) {
        const struct version *other = &a.versions[i];
        if (other->number == number || !other->service)
            continue;
        if (r->watch_s && fleet__role(other->service) == ROLE_STABLE)
            continue; /* the keeper's, which may have let it serve again */
        rc = fleet__turn(r->en, fleet__name(other->service), ROLE__COUNT, ROLE_OLD, 0, e);
        if (rc < 0 && e->code == ERR_NOT_FOUND)
            rc = 0; /* gone by itself */
    }
    fleet__app_release(&a);
    return rc;
}

void rollout__watch_old_go(const struct rollout *r)
{
    int64_t until = fleet__now_ms() + (r->drain_s + HAND_OVER_S) * 1000;
    struct err e;

    while (fleet__now_ms() < until) {
        struct app now;
        int left = 0;
        if (fleet__app_read(r->en, r->app, &now, &e) < 0)
            return;
        for (size_t i = 0; i < now.count; i++) {
            const json_t *service = now.versions[i].service;
            left += service && (fleet__role(service) == ROLE_OLD ||
                                fleet__role(service) == ROLE_STABLE); /* one of them stays */
        }
        fleet__app_release(&now);
        if (left <= 1 || rollout__pause(r, &e) < 0)
            return;
    }
}

static void mark(const struct rollout *r, int number, const char *state)
{
    struct app a;
    struct err e;

    if (fleet__app_read(r->en, r->app, &a, &e) < 0)
        return; /* it is a note */
    const struct version *v = fleet__version_of(&a, number);
    if (v)
        fleet__version_label(r->en, v, LABEL_STATE, state);
    fleet__app_release(&a);
}

void rollout__take_back(const struct rollout *r, int number, const char *state)
{
    char *name = fleet__object(r->app, number);
    struct err e;

    rollout__say(r, "v%d is taken back.", number);
    if (fleet__service_remove(r->en, name, &e) < 0)
        rollout__say(r, "its service %s could not be removed: %s", name, e.msg);
    mark(r, number, state);
    free(name);
}

/* It was kept, and never ran: whoever did that ended in between. */
static bool left_behind(const struct app *a, const struct version *v)
{
    const struct version *stable = fleet__running(a, ROLE_STABLE);

    return !v->service && stable && v->number > stable->number &&
           !*fleet__label(v->config, LABEL_STATE);
}

int rollout__clean(const struct rollout *r, const struct app *a, bool force, struct err *e)
{
    for (size_t i = 0; i < a->count; i++) {
        const struct version *v = &a->versions[i];
        enum fleet_role role = v->service ? fleet__role(v->service) : ROLE_OLD;
        bool waits = v->service && *fleet__label(v->service, LABEL_WAITS);
        if (role == ROLE_CANARY || (role == ROLE_NEXT && waits)) {
            if (!force)
                return err_set(e, ERR_IN_USE, 0,
                               "v%d %s; `maya app promote %s` lets it take over, `maya app "
                               "discard %s` takes it back",
                               v->number,
                               role == ROLE_CANARY ? "is being tried" : "waits to be promoted",
                               r->app, r->app);
            rollout__take_back(r, v->number, "discarded");
        } else if (role == ROLE_NEXT) {
            rollout__say(r, "v%d was left by a deploy that ended in the middle.", v->number);
            rollout__take_back(r, v->number, "failed");
        } else if (left_behind(a, v)) {
            fleet__version_label(r->en, v, LABEL_STATE, "failed");
        }
    }
    return 0;
}

/* The one that a person may decide about. */
static const struct version *undecided(const struct app *a, struct err *e)
{
    for (size_t i = 0; i < a->count; i++) {
        const json_t *service = a->versions[i].service;
        if (service &&
            (fleet__role(service) == ROLE_CANARY ||
             (fleet__role(service) == ROLE_NEXT && *fleet__label(service, LABEL_WAITS))))
            return &a->versions[i];
    }
    if (a->count == 0)
        err_set(e, ERR_NOT_FOUND, 0, "there is no app '%.80s'; `maya app list` shows them",
                a->name);
    else
        err_set(e, ERR_NOT_FOUND, 0,
                "%s has no version that waits; `maya deploy --strategy blue-green` or `canary` "
                "makes one",
                a->name);
    return NULL;
}

static void times_of(const struct version *v, struct rollout *r)
{
    struct spec *s = NULL;
    struct err e;

    if (fleet__version_spec(v, &s, &e) < 0)
        return;
    r->drain_s = spec_int(s, SPEC_DRAIN);
    r->watch_s = fleet__role(v->service) == ROLE_CANARY ? 0 : spec_int(s, SPEC_WATCH);
    spec_free(&s);
}

/* People may be there, who are let finish; nobody comes to a version under its second name. */
static int discard(const struct rollout *r, const struct version *v, struct err *e)
{
    if (fleet__role(v->service) == ROLE_NEXT) {
        rollout__take_back(r, v->number, "discarded");
        return 0;
    }
    fleet__version_label(r->en, v, LABEL_STATE, "discarded");
    if (fleet__turn(r->en, fleet__name(v->service), ROLE_CANARY, ROLE_OLD, 0, e) < 0)
        return -1;
    rollout__say(r, "v%d is taken back; whoever talks with it finishes.", v->number);
    rollout__watch_old_go(r);
    return 0;
}

/* One that waited shows its certificate from now on. */
static int promote_it(const struct rollout *r, const struct version *v, struct err *e)
{
    const struct front_cfg as_it_is = {-1, -1};
    struct show show = {.en = r->en, .app = r->app, .front = &as_it_is};
    struct spec *s = NULL;
    int rc = fleet__version_spec(v, &s, e);

    if (rc == 0)
        rc = show__prepare(&show, s, false, e);
    if (rc == 0)
        rc = show__begin(&show, e);
    if (rc == 0)
        rc = trial__hand_over(r, v->number, e);
    if (rc < 0 && e->code != ERR_STOPPED)
        show__take_back(&show);
    show__release(&show);
    spec_free(&s);
    return rc;
}

int fleet_decide(struct engine *en, const char *app, bool promote, const char *who,
                 void (*on_line)(void *ctx, const char *line), void *ctx, int *ret_version,
                 struct err *e)
{
    struct lock lock = {0};
    struct rollout r = {.en = en, .app = app, .lock = &lock, .on_line = on_line, .ctx = ctx};
    const struct version *v;
    struct app a;
    int rc = -1;

    if (engine_need_swarm(en, e) < 0 || fleet__lock(en, app, who, &lock, e) < 0)
        return -1;
    if (fleet__app_read(en, app, &a, e) < 0)
        goto unlock;
    v = undecided(&a, e);
    if (v) {
        *ret_version = v->number;
        times_of(v, &r);
        rc = promote ? promote_it(&r, v, e) : discard(&r, v, e);
    }
    fleet__app_release(&a);
unlock:
    engine_unstop(en);
    fleet__unlock(&lock);
    return rc;
}
