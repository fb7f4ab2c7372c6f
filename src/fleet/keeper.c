/*
 * The keeper: looks at what the Swarm has and wants, keeps the gateway in step, tells which
 * containers answer, and lets go of versions that are to go, one look after the other. All it
 * decides from is read anew each time, so it may end at any moment and another one goes on.
 */
#include "fleet/keeper.h"

#include "base/log.h"
#include "engine/engine.h"
#include "fleet/keeper_hung.h"
#include "fleet/keeper_int.h"
#include "fleet/keeper_resize.h"
#include "fleet/keeper_wait.h"
#include "fleet/rollout.h"
#include "fleet/rotated.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define LOOK_MS 500
#define CHANGES_MS 100      /* the same while something changes */
#define CHANGES_FOR_MS 3000 /* after the last change */
#define HURRY_MS 50

/* Since when a version has been on its way out. */
struct leaving {
    char name[80];
    int64_t since_ms;
};
#define LEAVING_MAX 64

struct keeper {
    struct engine *en;
    struct front front;
    struct resize *resize;
    struct hung *hung;
    struct trials *trials;
    struct watches *watches;
    struct bringer *bringer; /* of secrets */
    struct leaving leaving[LEAVING_MAX];
    uint64_t stamp; /* of what was seen last */
    int64_t changed_ms;
    bool hurries;   /* a Maya is to be stopped: look again soon */
    char said[240]; /* the last complaint, so that it is logged once */
};

static void complain(struct keeper *k, const char *what, const struct err *e)
{
    if (strcmp(k->said, e->msg) == 0)
        return;
    snprintf(k->said, sizeof(k->said), "%s", e->msg);
    log_warn("keeper", what, "why=\"%s\"", e->msg);
}

/* What the deployer waits for: how many of a version answer. */
static void tell_ready(struct keeper *k, const struct seen_app *a, const struct seen_version *v)
{
    int serves = front__up(&k->front, a->name, false, v->number);
    int up = serves + front__up(&k->front, a->name, true, v->number);
    char ready[16], serving[16];
    const char *const label[] = {LABEL_READY, ready, LABEL_SERVES, serving, NULL};
    struct err e;

    if (up == v->ready && serves == v->serves)
        return;
    snprintf(ready, sizeof(ready), "%d", up);
    snprintf(serving, sizeof(serving), "%d", serves);
    if (fleet__service_label(k->en, fleet__name(v->service), label, &e) < 0)
        complain(k, "label", &e);
    else
        log_info("keeper", "ready", "app=%s version=%d containers=%d serve=%d", a->name,
                 v->number, up, serves);
}

static int64_t since(struct keeper *k, const char *name)
{
    struct leaving *free_one = NULL;

    for (int i = 0; i < LEAVING_MAX; i++) {
        if (strcmp(k->leaving[i].name, name) == 0)
            return k->leaving[i].since_ms;
        if (!free_one && !k->leaving[i].name[0])
            free_one = &k->leaving[i];
    }
    if (free_one) {
        snprintf(free_one->name, sizeof(free_one->name), "%s", name);
        free_one->since_ms = fleet__now_ms();
    }
    return fleet__now_ms();
}

static void forget(struct keeper *k, const char *name)
{
    for (int i = 0; i < LEAVING_MAX; i++)
        if (strcmp(k->leaving[i].name, name) == 0)
            k->leaving[i].name[0] = '\0';
}

/*
 * A version on its way out is given nothing new (its slots are in maintenance). When what it
 * was answering has ended, or its time to drain is over, its containers are stopped, and then
 * its service goes. Maya is stopped at once: she answers what she has within that time herself,
 * and lets go of those who only watch, who would hear nothing of their sessions here any more.
 */
static void retire(struct keeper *k, const struct seen_app *a, const struct seen_version *v)
{
    const char *name = fleet__name(v->service);
    int64_t waited = fleet__now_ms() - since(k, name);
    int64_t drain_ms = a->spec ? spec_int(a->spec, SPEC_DRAIN) * 1000 : 0;
    struct err e;
    int rc = 0;

    if (watches__kept(a, v))
        return;
    if (v->wanted > 0) {
        bool busy = front__busy(&k->front, a->name, v->number) > 0 ||
                    front__reloaded(&k->front, fleet__now_ms(), drain_ms);
        bool maya = a->spec && spec_is_maya(a->spec);
        bool stays =
            maya ? waited < SETTLE_MAYA_MS : waited < SETTLE_MS || (busy && waited < drain_ms);
        k->hurries |= stays && maya;
        if (stays)
            return;
        log_info("keeper", "stop", "app=%s version=%d", a->name, v->number);
        rc = fleet__service_scale(k->en, name, 0, &e);
    } else if (v->tasks == 0) {
        log_info("keeper", "gone", "app=%s version=%d", a->name, v->number);
        rc = fleet__service_remove(k->en, name, &e);
        forget(k, name);
    }
    if (rc < 0)
        complain(k, "retire", &e);
}

/* The newest of several that are to serve does, as soon as it can; the others go. */
static void one_stable(struct keeper *k, struct seen_app *a)
{
    const struct seen_version *best = NULL;
    struct err e;

    for (size_t i = 0; i < a->version_count; i++)
        if (a->versions[i].role == ROLE_STABLE &&
            (!best || a->versions[i].number > best->number))
            best = &a->versions[i];
    if (!best || front__up(&k->front, a->name, false, best->number) == 0)
        return;
    for (size_t i = 0; i < a->version_count; i++) {
        const struct seen_version *v = &a->versions[i];
        if (v->role == ROLE_STABLE && v != best &&
            fleet__turn(k->en, fleet__name(v->service), ROLE_STABLE, ROLE_OLD, 0, &e) < 0 &&
            e.code != ERR_CONFLICT && e.code != ERR_NOT_FOUND)
            complain(k, "turn", &e);
    }
}

static void see_to_app(struct keeper *k, struct seen_app *a)
{
    one_stable(k, a);
    for (size_t i = 0; i < a->version_count; i++) {
        struct seen_version *v = &a->versions[i];
        tell_ready(k, a, v);
        if (v->role == ROLE_OLD)
            retire(k, a, v);
    }
}

static void look(struct keeper *k)
{
    int64_t began_ms = fleet__now_ms();
    struct world w;
    struct err e;

    if (keeper__look(k->en, &w, &e) < 0) {
        complain(k, "engine", &e);
        return;
    }
    if (w.stamp != k->stamp) {
        k->stamp = w.stamp;
        k->changed_ms = fleet__now_ms();
    }
    resize__mark(k->resize, &w);
    if (front__sync(&k->front, &w, fleet__now_ms(), &e) < 0) {
        complain(k, "gateway", &e);
    } else {
        k->said[0] = '\0';
        hung__look(k->hung, k->en, &k->front, &w, fleet__now_ms());
        for (size_t i = 0; i < w.count; i++) {
            trials__look(k->trials, k->en, &k->front, &w, &w.apps[i], fleet__now_ms());
            watches__look(k->watches, k->en, &k->front, &w, &w.apps[i], fleet__now_ms());
        }
    }
    k->hurries = false;
    for (size_t i = 0; i < w.count; i++)
        see_to_app(k, &w.apps[i]);
    resize__run(k->resize, &k->front, &w, began_ms, fleet__now_ms());
    keeper__world_release(&w);
}

/* A change is one of several, mostly: a container that starts, a version that takes over. */
static int pause_ms(const struct keeper *k)
{
    if (k->hurries || resize__hurries(k->resize))
        return HURRY_MS;
    return fleet__now_ms() - k->changed_ms < CHANGES_FOR_MS ? CHANGES_MS : LOOK_MS;
}

int fleet_keeper(struct engine *en, const struct fleet_keeper_cfg *cfg, struct err *e)
{
    struct keeper k = {.en = en,
                       .resize = resize__new(en),
                       .hung = hung__new(),
                       .trials = trials__new(),
                       .watches = watches__new()};

    if (engine_need_swarm(en, e) < 0) {
        watches__free(&k.watches);
        trials__free(&k.trials);
        hung__free(&k.hung);
        resize__free(&k.resize);
        return -1;
    }
    mkdir(cfg->folder, 0700);
    front__init(&k.front, cfg->folder, cfg->http_port, cfg->https_port);
    log_info("keeper", "start", "engine=\"%s\" folder=\"%s\" http=%d https=%d",
             engine_shown(en), cfg->folder, cfg->http_port, cfg->https_port);
    k.bringer = bringer__new(en);
    while (!*cfg->stop) {
        look(&k);
        wait__pause(pause_ms(&k));
    }
    bringer__free(&k.bringer);
    watches__free(&k.watches);
    trials__free(&k.trials);
    hung__free(&k.hung);
    resize__free(&k.resize);
    front__release(&k.front);
    log_info("keeper", "end", "reason=signal");
    return 0;
}
