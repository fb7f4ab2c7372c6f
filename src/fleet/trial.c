/* A canary's trial, as somebody who waits for its end sees it. The keeper decides. */
#include "fleet/trial.h"

#include "base/strs.h"

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
