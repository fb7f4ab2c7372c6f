/*
 * A version that took over at once is watched for a while, and the one before is kept beside
 * it, given nothing: when its containers end by themselves, none of them answers any more, or
 * most of its answers are errors, the one before serves again. LABEL_WATCH of its service says
 * how long, in seconds of this clock; a keeper that starts begins anew. It is put there by
 * whoever lets it serve, and removed here.
 */
#include "fleet/keeper_int.h"

#include "base/alloc.h"
#include "base/log.h"
#include "base/strs.h"
#include "engine/engine.h"
#include "fleet/canary.h"
#include "fleet/rollout.h"

#include <stdlib.h>
#include <string.h>

#define DOWN_S 5 /* beyond what HAProxy takes to find that one does not answer */

struct watch {
    char *app;
    int version;
    int64_t since_ms, down_ms; /* down_ms: since when none of its containers is up; 0: one is */
    unsigned ended_before, killed_before;
    struct canary_seen seen;
};

struct watches {
    struct watch *at;
    size_t count;
};

struct watches *watches__new(void)
{
    return xalloc(sizeof(struct watches));
}

void watches__free(struct watches **ref)
{
    struct watches *all = *ref;

    if (!all)
        return;
    for (size_t i = 0; i < all->count; i++)
        free(all->at[i].app);
    free(all->at);
    free(all);
    *ref = NULL;
}

/* The newest with this role, or NULL. */
static struct seen_version *newest(const struct seen_app *a, enum fleet_role r)
{
    struct seen_version *best = NULL;

    for (size_t i = 0; i < a->version_count; i++)
        if (a->versions[i].role == r && (!best || a->versions[i].number > best->number))
            best = &a->versions[i];
    return best;
}

/* The one that would serve again: it is kept, or has not been sent away yet. */
static struct seen_version *before_it(struct seen_app *a, const struct seen_version *v)
{
    struct seen_version *best = NULL;

    for (size_t i = 0; i < a->version_count; i++) {
        struct seen_version *one = &a->versions[i];
        if (one != v && (one->role == ROLE_OLD || one->role == ROLE_STABLE) &&
            (!best || one->number > best->number))
            best = one;
    }
    return best;
}

static int64_t watch_s(const struct seen_version *v)
{
    int64_t s = 0;

    return v && str_to_int(fleet__label(v->service, LABEL_WATCH), &s) && s > 0 ? s : 0;
}

bool watches__kept(const struct seen_app *a, const struct seen_version *v)
{
    const struct seen_version *serves = newest(a, ROLE_STABLE);

    return watch_s(serves) && v == newest(a, ROLE_OLD) && v->number != serves->number;
}

static struct watch *watch_of(struct watches *all, const struct seen_app *a,
                              const struct seen_version *v, int64_t now_ms)
{
    struct watch *t = NULL;

    for (size_t i = 0; i < all->count && !t; i++)
        if (strcmp(all->at[i].app, a->name) == 0)
            t = &all->at[i];
    if (!t) {
        all->at = xrealloc(all->at, (all->count + 1) * sizeof(*all->at));
        t = &all->at[all->count++];
        *t = (struct watch){.app = xstrdup(a->name)};
    }
    if (t->version != v->number) {
        t->version = v->number;
        t->since_ms = now_ms;
        t->down_ms = 0;
        t->ended_before = v->ended;
        t->killed_before = v->killed;
        t->seen = (struct canary_seen){0};
    }
    return t;
}

static void complain(const struct seen_app *a, const struct err *e)
{
    log_warn("keeper", "watch", "app=%s why=\"%s\"", a->name, e->msg);
}

/* It is over: the one before may go. */
static void end(struct engine *en, const struct seen_app *a, const struct seen_version *v)
{
    static const char *const label[] = {LABEL_WATCH, "", NULL};
    struct err e;

    if (fleet__service_label(en, fleet__name(v->service), label, &e) < 0 &&
        e.code != ERR_NOT_FOUND)
        complain(a, &e);
}

/*
 * First the one before serves, then the other does not: whoever ends in between leaves two that
 * serve, of which the newer one is meant and watched anew.
 */
static void take_back(struct engine *en, const struct world *w, const struct seen_app *a,
                      struct seen_version *bad, struct seen_version *before, const char *why)
{
    json_t *saw = json_pack("[{s:s}]", "end", why);
    char *text = json_dumps(saw, JSON_COMPACT);
    struct err e;

    MUST(text);
    json_decref(saw);
    log_info("keeper", "watch_bad", "app=%s version=%d before=%d why=\"%s\"", a->name,
             bad->number, before->number, why);
    trials__note(en, w, a->name, bad->number, text, "failed");
    if (fleet__turn(en, fleet__name(before->service), ROLE__COUNT, ROLE_STABLE, 100, &e) < 0 ||
        fleet__turn(en, fleet__name(bad->service), ROLE_STABLE, ROLE_OLD, 0, &e) < 0)
        complain(a, &e);
    before->role = ROLE_STABLE; /* for the rest of this look */
    bad->role = ROLE_OLD;
    free(text);
}

/*
 * For how long may none of its containers be up? One that did answer and does not any more
 * hangs; one that has just been started, in place of another, has the time that a start has.
 */
static int64_t see_down(struct watch *t, const struct front *f, const struct seen_app *a,
                        const struct seen_version *v, int64_t now_ms)
{
    const struct front_health is = front__health(f, a->name, v->number);
    bool down = !is.up && v->wanted > 0;

    if (!down)
        t->down_ms = 0;
    else if (!t->down_ms)
        t->down_ms = now_ms;
    t->seen.down_s = down ? (now_ms - t->down_ms) / 1000 : 0;
    t->seen.doubted = !is.well && v->wanted > 0;
    return is.lost || !a->spec ? DOWN_S : spec_int(a->spec, SPEC_READY_WITHIN);
}

void watches__look(struct watches *all, struct engine *en, const struct front *f,
                   const struct world *w, struct seen_app *a, int64_t now_ms)
{
    static const struct canary_seen nobody = {0};
    struct seen_version *v = newest(a, ROLE_STABLE), *before = before_it(a, v);
    struct canary_rule rule = {.ended = 1, .step_s = watch_s(v), .limit_s = INT64_MAX};
    char why[CANARY_WHY_MAX];

    if (!rule.step_s)
        return;
    struct watch *t = watch_of(all, a, v, now_ms);
    front__new(f, a->name, v->number, &t->seen.requests, &t->seen.errors);
    t->seen.ended = v->ended > t->ended_before ? v->ended - t->ended_before : 0;
    t->seen.killed = v->killed > t->killed_before ? v->killed - t->killed_before : 0;
    rule.down_s = see_down(t, f, a, v, now_ms);
    enum canary_verdict verdict =
        canary__judge(&rule, &t->seen, &nobody, (now_ms - t->since_ms) / 1000, why);
    if (verdict == CANARY_WAIT)
        return;
    if (verdict == CANARY_BAD && before) {
        take_back(en, w, a, v, before, why);
    } else {
        log_info("keeper", "watch_over",
                 "app=%s version=%d requests=%llu errors=%llu ended=%llu why=\"%s\"", a->name,
                 v->number, (unsigned long long)t->seen.requests,
                 (unsigned long long)t->seen.errors, (unsigned long long)t->seen.ended, why);
        end(en, a, v);
    }
    t->version = 0;
}
