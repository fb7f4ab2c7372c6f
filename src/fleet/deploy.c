/*
 * One deploy. Up to the hand-over everything can be taken back, and is: the new version's
 * service is removed, and the old one has never noticed. The hand-over is a change of labels;
 * the keeper does the rest, whether anybody watches or not.
 */
#include "fleet/deploy.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/strs.h"
#include "engine/engine.h"
#include "fleet/fleet.h"
#include "fleet/front.h"
#include "fleet/ready.h"
#include "fleet/remains.h"
#include "fleet/rollout.h"
#include "fleet/rotated.h"
#include "fleet/sample.h"
#include "fleet/service.h"
#include "fleet/show.h"
#include "fleet/trial.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct deploy {
    struct engine *en;
    const struct fleet_deploy *how;
    const struct spec *spec;
    const char *app;
    char *image, *name; /* of the new version's service */
    json_t *secrets;
    struct app before;
    struct lock lock;
    struct rollout r;
    struct front_cfg front;
    struct show show;
    json_t *brings;       /* volumes that are there only with it */
    bool locked, at_once; /* at_once: whatever the strategy */
    bool watch;           /* the image's build knows `maya healthcheck --watch` */
    bool kept, sent_away; /* the new version has its place; the one before is let go */
    int number;
    int64_t start_ms;
};

static bool same_as(const struct deploy *d, const struct version *v)
{
    json_t *kept = NULL;
    struct err e;
    bool same = false;

    if (fleet__version_load(v, &kept, &e) == 0) {
        char *stored = spec_stored(d->spec);
        json_t *spec = stored ? json_loads(stored, 0, NULL) : NULL;
        same = json_equal(spec, json_object_get(kept, "spec")) &&
               strcmp(fleet__text(kept, "image"), d->image) == 0 &&
               json_equal(d->secrets, json_object_get(kept, "secrets"));
        json_decref(spec);
        free(stored);
    }
    json_decref(kept);
    return same;
}

static int keep_version(struct deploy *d, struct err *e)
{
    char *stored = spec_stored(d->spec);
    json_t *what = json_pack("{s:o, s:s, s:O, s:b}", "spec", json_loads(stored, 0, NULL),
                             "image", d->image, "secrets", d->secrets, "watch", (int)d->watch);
    int rc = fleet__version_keep(d->en, d->app, d->number, what, d->how->tag, d->how->who,
                                 d->how->commit, e);

    json_decref(what);
    free(stored);
    return rc;
}

static int wanted_of(const json_t *service)
{
    const json_t *mode = json_object_get(json_object_get(service, "Spec"), "Mode");

    return (int)json_integer_value(
        json_object_get(json_object_get(mode, "Replicated"), "Replicas"));
}

/* As many as serve now, so that it can take over; at least one, to be tried. */
static int replicas_of(const struct deploy *d)
{
    const struct version *stable = fleet__running(&d->before, ROLE_STABLE);
    int n = (int)spec_int(d->spec, SPEC_MIN_CONTAINERS);
    int most = (int)spec_int(d->spec, SPEC_MAX_CONTAINERS);

    if (stable && wanted_of(stable->service) > n)
        n = wanted_of(stable->service);
    n = n > most ? most : n;
    return n > 0 ? n : 1;
}

static int create(struct deploy *d, struct err *e)
{
    const struct service_cfg cfg = {
        .spec = d->spec,
        .app = d->app,
        .image = d->image,
        .number = d->number,
        .secrets = d->secrets,
        .role = ROLE_NEXT,
        .weight = 0,
        .replicas = replicas_of(d),
        .watch = d->watch,
    };
    json_t *body = fleet__service_body(&cfg);
    int rc = engine_json(d->en, "POST", body, NULL, e, "/services/create");

    json_decref(body);
    return rc;
}

static int wait_ready(struct deploy *d, struct err *e)
{
    const struct ready w = {.service = d->name,
                            .number = d->number,
                            .containers = replicas_of(d),
                            .within_s = (int)spec_int(d->spec, SPEC_READY_WITHIN)};

    return ready__wait(&d->r, &w, e);
}

/* Before it is tried the old ones go: two versions never run side by side. */
static int send_away(struct deploy *d, struct err *e)
{
    d->sent_away = true;
    for (size_t i = 0; i < d->before.count; i++) {
        const struct version *v = &d->before.versions[i];
        if (v->service &&
            fleet__turn(d->en, fleet__name(v->service), ROLE__COUNT, ROLE_OLD, 0, e) < 0 &&
            e->code != ERR_NOT_FOUND)
            return -1;
    }
    return 0;
}

static int begin_trial(struct deploy *d, struct err *e)
{
    int weight = d->how->canary_weight ? d->how->canary_weight
                                       : (int)spec_int(d->spec, SPEC_CANARY_WEIGHT);

    if (fleet__turn(d->en, d->name, ROLE_NEXT, ROLE_CANARY, weight, e) < 0)
        return -1;
    rollout__say(&d->r, "v%d is tried, with %d %% of new sessions.", d->number, weight);
    return 0;
}

/*
 * The keeper judges by how people fare; whether anybody watches is all the same to it. Others
 * may decide about it meanwhile, so the app is not locked any more.
 */
static int watch_trial(struct deploy *d, struct err *e)
{
    fleet__unlock(&d->lock);
    d->locked = false;
    d->r.lock = NULL;
    if (trial__follow(&d->r, d->number, e) < 0)
        return -1;
    rollout__say(&d->r, "v%d serves; what came before finishes and goes.", d->number);
    rollout__watch_old_go(&d->r);
    return 0;
}

/* It runs under its second name, until somebody decides. */
static int let_wait(struct deploy *d, struct fleet_deployed *ret, struct err *e)
{
    const char *const label[] = {LABEL_WAITS, "promote", NULL};

    ret->waits = true;
    return fleet__service_label(d->en, d->name, label, e);
}

/* Against the version that serves. */
static int try_sessions(struct deploy *d, const struct version *stable, struct err *e)
{
    struct spec *spec = NULL;
    json_t *kept = NULL, *had = NULL;
    int rc = 0;

    if (!stable || d->how->unchecked || !spec_is_maya(d->spec))
        return 0;
    if (fleet__version_load(stable, &kept, e) < 0 ||
        fleet__version_spec(stable, &spec, e) < 0 ||
        rotated__had(d->en, stable->service, json_object_get(kept, "secrets"), &had, e) < 0) {
        spec_free(&spec);
        json_decref(kept);
        return -1;
    }
    const struct sample_build fresh = {d->number, d->spec, d->image, d->secrets};
    const struct sample_build old = {stable->number, spec, fleet__text(kept, "image"), had};
    rc = sample__try(&d->r, &fresh, &old, e);
    spec_free(&spec);
    json_decref(had);
    json_decref(kept);
    return rc;
}

/* Up to where it could serve. */
static int start(struct deploy *d, bool recreate, struct err *e)
{
    int rc;

    rollout__say(&d->r, "v%d starts, %d container%s.", d->number, replicas_of(d),
                 replicas_of(d) == 1 ? "" : "s");
    if (keep_version(d, e) < 0)
        return -1;
    d->kept = true;
    rc = show__prepare(&d->show, d->spec, !d->at_once, e);
    if (rc == 0)
        rc = remains__look(d->en, &d->before, d->spec, &d->brings, e);
    if (rc == 0)
        rc = create(d, e);
    if (rc == 0 && recreate)
        rc = send_away(d, e);
    return rc < 0 ? -1 : wait_ready(d, e);
}

static void undo(struct deploy *d)
{
    /* The stop that brought us here is heard; this has to go on. */
    engine_unstop(d->en);
    rollout__take_back(&d->r, d->number, "failed");
    show__take_back(&d->show);
    remains__remove(&d->r, d->brings);
}

static bool serves(const struct deploy *d)
{
    struct err ignored;
    struct app a;

    if (fleet__app_read(d->en, d->app, &a, &ignored) < 0)
        return true; /* as far as anybody knows */
    const struct version *v = fleet__version_of(&a, d->number);
    bool is = v && v->service && fleet__role(v->service) == ROLE_STABLE;
    fleet__app_release(&a);
    return is;
}

static int roll(struct deploy *d, struct fleet_deployed *ret, struct err *e)
{
    /* The first version has nothing to be compared with. */
    const struct version *stable = fleet__running(&d->before, ROLE_STABLE);
    const char *strategy =
        stable && !d->at_once ? spec_text(d->spec, SPEC_STRATEGY) : "rolling";
    bool canary = strcmp(strategy, "canary") == 0, waits = strcmp(strategy, "blue-green") == 0;
    int rc;

    if (try_sessions(d, stable, e) < 0 || fleet__front(d->en, &d->front, e) < 0)
        return -1;
    rc = start(d, strcmp(strategy, "recreate") == 0, e);
    if (rc == 0)
        rc = waits ? let_wait(d, ret, e) : show__begin(&d->show, e);
    if (rc == 0 && canary)
        rc = begin_trial(d, e);
    if (rc < 0) {
        if (d->kept)
            undo(d);
        return -1;
    }
    if (!waits)
        rc = canary ? watch_trial(d, e) : trial__hand_over(&d->r, d->number, e);
    /* Who stops looking on changes nothing. */
    if (rc < 0 && e->code != ERR_STOPPED && !serves(d))
        show__take_back(&d->show);
    return rc;
}

/* The same version; its certificate and the gateway may be others all the same. */
static int see_to_front(struct deploy *d, struct err *e)
{
    int rc = show__prepare(&d->show, d->spec, true, e);

    if (rc == 0)
        rc = fleet__front(d->en, &d->front, e);
    return rc < 0 ? -1 : show__begin(&d->show, e);
}

static int prepare(struct deploy *d, struct fleet_deployed *ret, struct err *e)
{
    const struct version *stable;

    if (fleet__secrets_find(d->en, d->spec, &d->secrets, e) < 0 ||
        fleet__lock(d->en, d->app, d->how->who, &d->lock, e) < 0)
        return -1;
    d->locked = true;
    d->r.lock = &d->lock;
    if (fleet__app_read(d->en, d->app, &d->before, e) < 0 ||
        rollout__clean(&d->r, &d->before, d->how->discard, e) < 0)
        return -1;
    fleet__app_release(&d->before);
    if (fleet__app_read(d->en, d->app, &d->before, e) < 0)
        return -1;
    stable = fleet__running(&d->before, ROLE_STABLE);
    d->number = fleet__newest(&d->before) + 1;
    d->name = fleet__object(d->app, d->number);
    if (stable && !d->how->force && same_as(d, stable)) {
        ret->unchanged = true;
        ret->version = stable->number;
    }
    return 0;
}

/* A stop is told as what became of it. */
static void tell_stopped(const struct deploy *d, struct err *e)
{
    const struct version *stable = fleet__running(&d->before, ROLE_STABLE);

    if (e->code != ERR_STOPPED || strcmp(e->msg, "stopped") != 0)
        return;
    if (!d->kept)
        err_set(e, ERR_STOPPED, 0, "stopped, before anything of %s was changed", d->app);
    else if (stable && !d->sent_away)
        err_set(e, ERR_STOPPED, 0, "stopped; v%d of %s serves as before", stable->number,
                d->app);
    else
        err_set(e, ERR_STOPPED, 0, "stopped; no version of %s serves", d->app);
}

static int run(struct deploy *d, struct fleet_deployed *ret, struct err *e)
{
    int rc;

    d->start_ms = fleet__now_ms();
    d->front = (struct front_cfg){d->how->http_port, d->how->https_port};
    d->show = (struct show){.en = d->en, .app = d->app, .front = &d->front};
    d->r = (struct rollout){.en = d->en,
                            .app = d->app,
                            .drain_s = spec_int(d->spec, SPEC_DRAIN),
                            .watch_s = spec_int(d->spec, SPEC_WATCH),
                            .on_line = d->how->on_line,
                            .on_wait = d->how->on_wait,
                            .ctx = d->how->ctx};
    *ret = (struct fleet_deployed){0};
    rc = prepare(d, ret, e);
    if (rc == 0 && ret->unchanged)
        rc = see_to_front(d, e);
    else if (rc == 0) {
        rc = roll(d, ret, e);
        ret->version = d->number;
    }
    ret->took_ms = fleet__now_ms() - d->start_ms;
    if (rc < 0)
        tell_stopped(d, e);
    if (d->locked) {
        engine_unstop(d->en);
        fleet__unlock(&d->lock);
    }
    fleet__app_release(&d->before);
    show__release(&d->show);
    json_decref(d->brings);
    json_decref(d->secrets);
    free(d->image);
    free(d->name);
    return rc;
}

/* What can be known before anything is sent, built or changed. */
static int look_first(struct deploy *d, struct err *e)
{
    const struct front_cfg front = {d->how->http_port, d->how->https_port};
    json_t *secrets = NULL;
    int rc = engine_need_swarm(d->en, e);

    if (rc == 0)
        rc = fleet__secrets_find(d->en, d->spec, &secrets, e);
    if (rc == 0)
        rc = fleet__front_check(d->en, &front, d->spec, e);
    if (rc == 0)
        rc = fleet__lock_look(d->en, d->app, e);
    json_decref(secrets);
    return rc;
}

/* No version has it: it goes as it came. */
static void remove_image(struct engine *en, const char *ref)
{
    struct err ignored;

    engine_unstop(en);
    if (engine_json(en, "DELETE", NULL, NULL, &ignored, "/images/%s", ref) < 0)
        return; /* somebody else's as well */
}

int fleet_deploy(struct engine *en, const struct fleet_deploy *how, struct fleet_deployed *ret,
                 struct err *e)
{
    struct deploy d = {.en = en, .how = how, .spec = how->spec};
    struct image_made image = {0};
    int rc;

    d.app = spec_text(how->spec, SPEC_NAME);
    rc = look_first(&d, e);
    if (rc == 0)
        rc = spec_image(how->spec, en, how->agent, how->on_line, how->ctx, &image, e);
    if (rc < 0) {
        tell_stopped(&d, e);
        return -1;
    }
    d.image = xstrdup(image.ref);
    d.watch = spec_image_kind(how->spec) == IMAGE_OWN; /* it is this very program */
    if (image.sent)
        rollout__say(&(struct rollout){.on_line = how->on_line, .ctx = how->ctx},
                     "Image %s, %.1f MiB.", image.ref, (double)image.size / 1048576.0);
    rc = run(&d, ret, e);
    if (rc < 0 && image.sent && !d.kept)
        remove_image(en, image.ref);
    image_made_release(&image);
    return rc;
}

/* The newest version before `than` that served. */
static const struct version *one_before(const struct app *a, int than)
{
    for (size_t i = 0; i < a->count; i++)
        if (a->versions[i].number < than && !*fleet__label(a->versions[i].config, LABEL_STATE))
            return &a->versions[i];
    return NULL;
}

static const struct version *choose(const struct app *a, int number, struct err *e)
{
    const struct version *stable = fleet__running(a, ROLE_STABLE);
    const struct version *v = number ? fleet__version_of(a, number)
                                     : one_before(a, stable ? stable->number : 1 << 30);

    if (v)
        return v;
    if (a->count == 0)
        err_set(e, ERR_NOT_FOUND, 0, "there is no app '%.80s'; `maya app list` shows them",
                a->name);
    else if (number)
        err_set(e, ERR_NOT_FOUND, 0, "%s has no v%d; `maya app history %s` shows what it has",
                a->name, number, a->name);
    else
        err_set(e, ERR_NOT_FOUND, 0, "%s has no version before this one", a->name);
    return NULL;
}

int fleet_rollback(struct engine *en, const char *app, int number,
                   const struct fleet_deploy *wanted, struct fleet_deployed *ret, struct err *e)
{
    struct fleet_deploy how = *wanted;
    struct deploy d = {.en = en, .how = &how, .app = app, .at_once = true};
    struct app a = {0};
    struct spec *spec = NULL;
    json_t *kept = NULL;
    char tag[32];
    int rc = -1;

    if (engine_need_swarm(en, e) < 0 || fleet__app_read(en, app, &a, e) < 0)
        return -1;
    const struct version *v = choose(&a, number, e);
    if (!v || fleet__version_load(v, &kept, e) < 0 || fleet__version_spec(v, &spec, e) < 0 ||
        fleet__hosts_check(en, spec, e) < 0 || show__check(en, spec, e) < 0)
        goto out;
    snprintf(tag, sizeof(tag), "rollback-to-v%d", v->number);
    how.tag = tag;
    how.force = true;
    how.spec = d.spec = spec;
    d.image = xstrdup(fleet__text(kept, "image"));
    d.watch = json_is_true(json_object_get(kept, "watch"));
    how.http_port = how.https_port = -1;
    rc = run(&d, ret, e);
out:
    json_decref(kept);
    spec_free(&spec);
    fleet__app_release(&a);
    return rc;
}
