/*
 * A canary's trial, and the first while of a version that serves, as somebody who waits for the
 * end sees them. The keeper decides.
 */
#include "fleet/trial.h"

#include "base/strs.h"
#include "engine/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int64_t whole(const json_t *step, const char *key)
{
    return (int64_t)json_integer_value(json_object_get(step, key));
}

static double percent(const json_t *step, const char *part, const char *all)
{
    return whole(step, all) ? 100.0 * (double)whole(step, part) / (double)whole(step, all) : 0;
}

static void seconds(const json_t *step, const char *key, char *ret, size_t size)
{
    double s = json_number_value(json_object_get(step, key));

    if (s < 0)
        snprintf(ret, size, "-");
    else
        snprintf(ret, size, "%.3g s", s);
}

static void print_step(const struct rollout *r, const json_t *step)
{
    char word[24], others[24];

    seconds(step, "first_word_s", word, sizeof(word));
    seconds(step, "others_first_word_s", others, sizeof(others));
    rollout__say(r, "%4lld %%  %5lld s  %8lld  %6.2f %%  %6.2f %%  %10s  %10s  %6lld  %s",
                 (long long)whole(step, "weight"), (long long)whole(step, "seconds"),
                 (long long)whole(step, "requests"), percent(step, "errors", "requests"),
                 percent(step, "others_errors", "others"), word, others,
                 (long long)whole(step, "unreadable"), fleet__text(step, "end"));
}

/* The steps that have ended since. */
static void print_new(const struct rollout *r, const char *saw, size_t *printed)
{
    json_t *steps = json_loads(saw, 0, NULL);

    for (size_t i = *printed; i < json_array_size(steps); i++) {
        const json_t *step = json_array_get(steps, i);
        if (!*fleet__text(step, "end"))
            break;
        if (i == 0)
            rollout__say(r, "share     time  requests    errors    others'  first word     "
                            "others'  unread");
        print_step(r, step);
        *printed = i + 1;
    }
    json_decref(steps);
}

/* 1: it goes on, 0: it serves, -1. */
static int look(const struct rollout *r, int number, size_t *printed, struct err *e)
{
    struct app a;
    int rc = 1;

    if (fleet__app_read(r->en, r->app, &a, e) < 0)
        return -1;
    const struct version *v = fleet__version_of(&a, number);
    const char *state = v ? fleet__label(v->config, LABEL_STATE) : "";
    const char *saw = v ? fleet__label(v->config, LABEL_SAW) : "";
    if (v && v->service && !*saw)
        saw = fleet__label(v->service, LABEL_SAW);
    print_new(r, saw, printed);
    if (*state) {
        json_t *steps = json_loads(saw, 0, NULL);
        const json_t *last = json_array_get(steps, json_array_size(steps) - 1);
        bool judged = strcmp(state, "failed") == 0 && *fleet__text(last, "end");
        rc = err_set(e, ERR_IO, 0, "v%d was taken back: %s", number,
                     judged ? fleet__text(last, "end") : "somebody wanted it so");
        json_decref(steps);
    } else if (!v || !v->service) {
        rc = err_set(e, ERR_IO, 0, "v%d does not run any more; %s was stopped meanwhile",
                     number, r->app);
    } else if (fleet__role(v->service) == ROLE_STABLE) {
        rc = 0;
    } else if (fleet__role(v->service) != ROLE_CANARY) {
        rc = err_set(e, ERR_IO, 0, "v%d was taken back", number);
    }
    fleet__app_release(&a);
    return rc;
}

int trial__follow(const struct rollout *r, int number, struct err *e)
{
    size_t printed = 0;

    for (;;) {
        int rc = look(r, number, &printed, e);
        if (rc == 1)
            rc = rollout__pause(r, e) < 0 ? -1 : 1;
        if (rc < 0 && e->code == ERR_STOPPED)
            return err_set(e, ERR_STOPPED, 0,
                           "v%d goes on being tried, nobody has to watch; `maya app discard "
                           "%s` takes it back",
                           number, r->app);
        if (rc <= 0)
            return rc;
    }
}

/* A version that serves */

#define KEEPER_S 60 /* beyond its time, for the keeper to say how it went */

/* 1: it is watched, 0: it is not, or no more; -1. */
static int look_on(const struct rollout *r, int number, struct err *e)
{
    struct app a;
    int rc;

    if (fleet__app_read(r->en, r->app, &a, e) < 0)
        return -1;
    const struct version *v = fleet__version_of(&a, number);
    const struct version *stable = fleet__running(&a, ROLE_STABLE);
    bool serves = v && v->service && fleet__role(v->service) == ROLE_STABLE;
    if (v && *fleet__label(v->config, LABEL_STATE) && !serves) {
        json_t *saw = json_loads(fleet__label(v->config, LABEL_SAW), 0, NULL);
        rc = err_set(e, ERR_IO, 0, "v%d was taken back: %s; v%d serves again", number,
                     fleet__text(json_array_get(saw, 0), "end"), stable ? stable->number : 0);
        json_decref(saw);
    } else if (!v || !v->service) {
        rc = err_set(e, ERR_IO, 0, "v%d does not run any more; %s was stopped meanwhile",
                     number, r->app);
    } else {
        rc = *fleet__label(v->service, LABEL_WATCH) != '\0'; /* also while it is taken back */
    }
    fleet__app_release(&a);
    return rc;
}

/* Does another version run, that will finish and go? */
static bool beside_others(const struct rollout *r)
{
    struct app a;
    struct err ignored;
    size_t running = 0;

    if (fleet__app_read(r->en, r->app, &a, &ignored) < 0)
        return false;
    for (size_t i = 0; i < a.count; i++)
        running += a.versions[i].service != NULL;
    fleet__app_release(&a);
    return running > 1;
}

int trial__hand_over(const struct rollout *r, int number, struct err *e)
{
    int64_t until = fleet__now_ms() + (r->watch_s + KEEPER_S) * 1000;
    bool others = beside_others(r);
    int rc = rollout__hand_over(r, number, e);

    if (rc == 0)
        rc = look_on(r, number, e);
    if (rc == 1)
        rollout__say(r, "v%d serves; what came before stays beside it for %lld s.", number,
                     (long long)r->watch_s);
    engine_heed(r->en);
    while (rc == 1 && fleet__now_ms() < until)
        rc = rollout__pause(r, e) < 0 ? -1 : look_on(r, number, e);
    engine_unstop(r->en);
    if (rc < 0 && e->code == ERR_STOPPED)
        return err_set(e, ERR_STOPPED, 0,
                       "v%d serves and goes on being watched, nobody has to look on; `maya app "
                       "rollback %s` goes back",
                       number, r->app);
    if (rc < 0)
        return -1;
    rollout__say(r, "v%d serves%s.", number,
                 others ? "; what came before finishes and goes" : "");
    rollout__watch_old_go(r);
    return 0;
}
