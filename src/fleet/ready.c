/*
 * Until a version's containers answer, as the keeper says, or until it is known that they will
 * not: what the engine says of its tasks is looked at as well, so that nobody waits for what
 * cannot come.
 */
#include "fleet/ready.h"

#include "base/strs.h"
#include "engine/engine.h"
#include "fleet/service.h"

#include <stdio.h>
#include <string.h>

/* How many that fail are enough to know. */
#define ENOUGH_FAILURES 3
#define TOLD_MS 1000
/* Of an error's one sentence: the engine's part, with what a container says behind it. */
#define WHY_MAX 180
#define WHY_BESIDE_WORDS 90

struct look {
    int64_t ready;
    int failures;
    bool ended;    /* a command came to its end, and well */
    char why[400]; /* in the engine's words; "" while nothing went wrong */
};

/* What went wrong stands behind who passed it on. */
static const char *cause_of(const char *why)
{
    static const char *const passed_on[] = {
        "runc create failed: ", "OCI runtime create failed: ", "failed to create shim task: ",
        "failed to create task for container: "};

    for (size_t i = 0; i < ARRAY_LEN(passed_on); i++) {
        const char *at = strstr(why, passed_on[i]);
        if (at)
            return at + strlen(passed_on[i]);
    }
    return why;
}

static void look_at_tasks(struct engine *en, const char *service, struct look *ret)
{
    const char *const filter[] = {"service", service, NULL};
    json_t *tasks = NULL;
    struct err e;

    if (engine_list(en, "/tasks", filter, &tasks, &e) < 0)
        return;
    for (size_t i = 0; i < json_array_size(tasks); i++) {
        const json_t *status = json_object_get(json_array_get(tasks, i), "Status");
        const char *state = fleet__text(status, "State"), *why = fleet__text(status, "Err");
        bool failed = strcmp(state, "failed") == 0 || strcmp(state, "rejected") == 0;
        ret->failures += failed;
        ret->ended |= strcmp(state, "complete") == 0;
        if (*why && (failed || !*ret->why))
            snprintf(ret->why, sizeof(ret->why), "%s", why);
    }
    json_decref(tasks);
}

static int look(struct engine *en, const char *service, struct look *ret, struct err *e)
{
    json_t *there = NULL;

    *ret = (struct look){0};
    if (engine_json(en, "GET", NULL, &there, e, "/services/%s", service) < 0)
        return -1;
    if (!str_to_int(fleet__label(there, LABEL_READY), &ret->ready))
        ret->ready = 0;
    json_decref(there);
    look_at_tasks(en, service, ret);
    return 0;
}

/* `how` and `why` in the engine's words, and what its containers have to say. */
static int not_well(const struct rollout *r, const struct ready *w, const char *how,
                    const char *why, struct err *e)
{
    char words[160], cause[WHY_MAX];

    fleet__last_words(r->en, w->service, words, sizeof(words));
    str_keep_end(cause_of(why), cause, *words ? WHY_BESIDE_WORDS : WHY_MAX);
    return err_set(e, ERR_IO, 0, "v%d%s%s%s%s%s", w->number, how, *why ? ": " : "", cause,
                   *words ? "; it says: " : "", words);
}

/* For who looks on. */
static void tell(const struct rollout *r, const struct ready *w, int64_t ready, int64_t began,
                 int64_t *told)
{
    char line[80];
    int64_t now = fleet__now_ms();

    if (!r->on_wait || now - *told < TOLD_MS)
        return;
    *told = now;
    snprintf(line, sizeof(line), "v%d: %lld of %d container%s ready, after %lld s.", w->number,
             (long long)ready, w->containers, w->containers == 1 ? " is" : "s are",
             (long long)(now - began) / 1000);
    r->on_wait(r->ctx, line);
}

/* 1: it is to be waited on, 0: it is ready, -1. */
static int judge(const struct rollout *r, const struct ready *w, const struct look *l,
                 bool late, struct err *e)
{
    char how[48];

    if (l->ready >= w->containers)
        return 0;
    if (l->ended)
        return not_well(r, w, "'s command ended by itself (code 0), and is to go on", "", e);
    if (l->failures >= ENOUGH_FAILURES)
        return not_well(r, w, " does not start", *l->why ? l->why : "its containers end", e);
    if (engine_disk_full(l->why))
        return engine_refuse(r->en, ERR_IO, l->why, e);
    if (!late)
        return 1;
    snprintf(how, sizeof(how), " was not ready within %d s", w->within_s);
    return not_well(r, w, how, l->why, e);
}

int ready__wait(const struct rollout *r, const struct ready *w, struct err *e)
{
    int64_t began = fleet__now_ms(), told = began;
    int rc = 1;

    while (rc == 1) {
        struct look l;
        rc = look(r->en, w->service, &l, e);
        if (rc == 0)
            rc = judge(r, w, &l, fleet__now_ms() - began >= w->within_s * INT64_C(1000), e);
        if (rc == 1) {
            tell(r, w, l.ready, began, &told);
            rc = rollout__pause(r, e) < 0 ? -1 : 1;
        }
    }
    if (r->on_wait)
        r->on_wait(r->ctx, NULL);
    return rc;
}
