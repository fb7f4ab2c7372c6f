/*
 * Trials of canaries: what is seen of a canary and of the stable version is counted from look
 * to look, and judged (canary.h). How far a trial is stands in labels; a keeper that starts
 * begins the step that was under way anew. What Maya's containers know of themselves is read
 * from their /metrics; where nobody answers there, the gateway's numbers are all there is.
 */
#include "fleet/keeper_int.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/strs.h"
#include "fleet/canary.h"
#include "fleet/rollout.h"
#include "fleet/scrape.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TELL_MS 2000 /* between two looks at /metrics, and two notes in the label */
#define ASK_MS 400
#define ENDED_MANY 3

/* What a container said last: its counters begin at its own start. */
struct reading {
    char task[32];
    uint64_t held; /* when the step began: bytes that no session held */
    struct canary_seen last;
};

struct trial {
    char *app;
    int version, weight;
    int64_t since_ms, told_ms;
    struct canary_seen canary, stable;
    uint64_t ended_before[2], killed_before[2];
    struct reading *readings;
    size_t reading_count;
    json_t *steps; /* those that have ended */
};

struct trials {
    struct trial *at;
    size_t count;
};

struct trials *trials__new(void)
{
    return xalloc(sizeof(struct trials));
}

static void release(struct trial *t)
{
    json_decref(t->steps);
    free(t->readings);
    free(t->app);
}

void trials__free(struct trials **ref)
{
    struct trials *t = *ref;

    if (!t)
        return;
    for (size_t i = 0; i < t->count; i++)
        release(&t->at[i]);
    free(t->at);
    free(t);
    *ref = NULL;
}

/* /metrics */

/* "name{labels} value": the text behind the name, or NULL when the line is another's. */
static const char *line_of(const char *line, const char *name)
{
    size_t n = strlen(name);

    return strncmp(line, name, n) == 0 && (line[n] == '{' || line[n] == ' ') ? line + n : NULL;
}

static uint64_t value_of(const char *rest)
{
    const char *space = strrchr(rest, ' ');
    double v = space ? strtod(space + 1, NULL) : 0;

    return v > 0 && v < 1e18 ? (uint64_t)v : 0;
}

static void read_bucket(const char *rest, struct canary_seen *s)
{
    const char *le = strstr(rest, "le=\"");

    if (!le || s->buckets >= CANARY_BUCKETS)
        return;
    s->bounds[s->buckets] = strtod(le + 4, NULL); /* "+Inf" is infinite to it, too */
    s->words[s->buckets++] = value_of(rest);
}

/* Counters as they are; the buckets made to be each by itself. `grew`: what no session holds.
 */
static void read_page(char *page, struct canary_seen *s)
{
    uint64_t process = 0, sessions = 0;
    const char *rest;
    char *left;

    for (char *line = strtok_r(page, "\n", &left); line; line = strtok_r(NULL, "\n", &left)) {
        if ((rest = line_of(line, "maya_sessions_unreadable_total")))
            s->unreadable += value_of(rest);
        else if ((rest = line_of(line, "maya_sessions_rejected_total")))
            s->rejected += value_of(rest);
        else if ((rest = line_of(line, "maya_turn_first_word_seconds_bucket")))
            read_bucket(rest, s);
        else if ((rest = line_of(line, "maya_process_memory_bytes")))
            process += value_of(rest);
        else if ((rest = line_of(line, "maya_sessions_memory_bytes")))
            sessions += value_of(rest);
    }
    s->grew = process > sessions ? process - sessions : 0;
    for (unsigned i = s->buckets; i > 1; i--)
        s->words[i - 1] -= s->words[i - 1] >= s->words[i - 2] ? s->words[i - 2] : 0;
}

/* What a counter grew by; one that is smaller than before began anew. */
static uint64_t grown(uint64_t now, uint64_t before)
{
    return now >= before ? now - before : now;
}

static void add_reading(struct trial *t, struct canary_seen *to, const char *task,
                        const struct canary_seen *now)
{
    struct reading *r = NULL;

    for (size_t i = 0; i < t->reading_count && !r; i++)
        if (strcmp(t->readings[i].task, task) == 0)
            r = &t->readings[i];
    if (!r) {
        t->readings = xrealloc(t->readings, (t->reading_count + 1) * sizeof(*t->readings));
        r = &t->readings[t->reading_count++];
        /* What was before the step is not of it. */
        *r = (struct reading){.last = *now, .held = now->grew};
        str_copy(r->task, sizeof(r->task), task);
    }
    to->unreadable += grown(now->unreadable, r->last.unreadable);
    to->rejected += grown(now->rejected, r->last.rejected);
    if (now->grew > r->held + to->grew)
        to->grew = now->grew - r->held;
    for (unsigned i = 0; i < now->buckets; i++) {
        to->bounds[i] = now->bounds[i];
        to->words[i] += grown(now->words[i], i < r->last.buckets ? r->last.words[i] : 0);
    }
    if (to->buckets < now->buckets)
        to->buckets = now->buckets;
    r->last = *now;
}

/* All that are compared, at once: one that hangs costs the keeper no more than the time of one.
 */
static void read_metrics(struct trial *t, struct seen_app *a)
{
    struct scrape_target *targets = xalloc((a->task_count + 1) * sizeof(*targets));
    const struct seen_version **of =
        xalloc((a->task_count + 1) * sizeof(struct seen_version *));
    const struct seen_task **who = xalloc((a->task_count + 1) * sizeof(struct seen_task *));
    size_t n = 0;
    struct err e;

    for (size_t i = 0; i < a->task_count; i++) {
        const struct seen_task *task = &a->tasks[i];
        const struct seen_version *v = keeper__version(a, task->version);
        if (!v || (v->role != ROLE_CANARY && v->role != ROLE_STABLE))
            continue;
        of[n] = v;
        who[n] = task;
        targets[n++] = (struct scrape_target){
            .address = task->address, .port = task->port, .path = "/metrics"};
    }
    if (scrape__all(targets, n, ASK_MS, &e) == 0) {
        t->canary.grew = t->stable.grew = 0; /* it is what it is now */
        for (size_t i = 0; i < n; i++) {
            struct canary_seen now = {0};
            if (!targets[i].answered || !targets[i].text.len)
                continue;
            read_page(targets[i].text.data, &now);
            add_reading(t, of[i]->role == ROLE_CANARY ? &t->canary : &t->stable, who[i]->id,
                        &now);
        }
        scrape__release(targets, n);
    }
    free(who);
    free(of);
    free(targets);
}

/* Steps */

static void begin_step(struct trial *t, const struct seen_version *canary,
                       const struct seen_version *stable, int64_t now_ms)
{
    t->version = canary->number;
    t->weight = canary->weight;
    t->since_ms = now_ms;
    t->told_ms = 0;
    t->canary = t->stable = (struct canary_seen){0};
    t->ended_before[0] = canary->ended;
    t->ended_before[1] = stable ? stable->ended : 0;
    t->killed_before[0] = canary->killed;
    t->killed_before[1] = stable ? stable->killed : 0;
    t->reading_count = 0;
}

static struct trial *trial_of(struct trials *all, const struct seen_app *a,
                              const struct seen_version *canary,
                              const struct seen_version *stable, int64_t now_ms)
{
    struct trial *t = NULL;

    for (size_t i = 0; i < all->count && !t; i++)
        if (strcmp(all->at[i].app, a->name) == 0)
            t = &all->at[i];
    if (!t) {
        all->at = xrealloc(all->at, (all->count + 1) * sizeof(*all->at));
        t = &all->at[all->count++];
        *t = (struct trial){.app = xstrdup(a->name)};
    }
    if (t->version != canary->number) {
        json_decref(t->steps);
        t->steps = json_loads(fleet__label(canary->service, LABEL_SAW), 0, NULL);
        if (!json_is_array(t->steps)) {
            json_decref(t->steps);
            t->steps = json_array();
        }
        /* The one that was under way begins anew. */
        size_t n = json_array_size(t->steps);
        if (n && !*fleet__text(json_array_get(t->steps, n - 1), "end"))
            json_array_remove(t->steps, n - 1);
        begin_step(t, canary, stable, now_ms);
    } else if (t->weight != canary->weight) {
        begin_step(t, canary, stable, now_ms);
    }
    return t;
}

/* The steps so far and this one, as text; the caller frees it. */
static char *text_of(const struct trial *t, int64_t seconds, const char *end)
{
    json_t *all = json_copy(t->steps);

    json_array_append_new(
        all,
        json_pack("{s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:s}", "weight",
                  t->weight, "seconds", (json_int_t)seconds, "requests",
                  (json_int_t)t->canary.requests, "errors", (json_int_t)t->canary.errors,
                  "others", (json_int_t)t->stable.requests, "others_errors",
                  (json_int_t)t->stable.errors, "unreadable", (json_int_t)t->canary.unreadable,
                  "rejected", (json_int_t)t->canary.rejected, "ended",
                  (json_int_t)t->canary.ended, "first_word_s",
                  canary__first_word_s(&t->canary, 0.9), "others_first_word_s",
                  canary__first_word_s(&t->stable, 0.9), "end", end));
    char *text = json_dumps(all, JSON_COMPACT | JSON_REAL_PRECISION(6));
    MUST(text);
    json_decref(all);
    return text;
}

void trials__note(struct engine *en, const struct world *w, const char *app, int number,
                  const char *saw, const char *state)
{
    for (size_t i = 0; i < json_array_size(w->configs); i++) {
        json_t *c = json_array_get(w->configs, i);
        struct version v = {.config = c, .config_id = fleet__text(c, "ID"), .number = number};
        if (fleet__version(c) != number || strcmp(fleet__label(c, LABEL_APP), app) != 0)
            continue;
        if (state)
            json_object_set_new(json_object_get(json_object_get(c, "Spec"), "Labels"),
                                LABEL_STATE, json_string(state));
        fleet__version_label(en, &v, LABEL_SAW, saw);
        return;
    }
}

/* Somebody may have decided meanwhile: then that holds, and there is nothing to say. */
static void turn(struct engine *en, const char *service, enum fleet_role to, int weight)
{
    struct err e;

    if (fleet__turn(en, service, ROLE_CANARY, to, weight, &e) < 0 && e.code != ERR_CONFLICT &&
        e.code != ERR_NOT_FOUND)
        log_warn("keeper", "canary", "why=\"%s\"", e.msg);
}

static void tell(struct engine *en, const char *service, const char *saw)
{
    const char *const label[] = {LABEL_SAW, saw, NULL};
    struct err e;

    if (fleet__service_label(en, service, label, &e) < 0 && e.code != ERR_NOT_FOUND)
        log_warn("keeper", "canary", "why=\"%s\"", e.msg);
}

static void decide(struct trial *t, struct engine *en, const struct world *w,
                   const struct seen_app *a, const struct seen_version *canary, int64_t now_ms)
{
    const struct canary_rule rule = {
        .sample = (uint64_t)spec_int(a->canary_spec, SPEC_CANARY_SAMPLE),
        .ended = ENDED_MANY,
        .step_s = spec_int(a->canary_spec, SPEC_CANARY_STEP),
        .limit_s = spec_int(a->canary_spec, SPEC_CANARY_WITHIN),
    };
    const char *service = fleet__name(canary->service);
    int64_t seconds = (now_ms - t->since_ms) / 1000;
    char why[CANARY_WHY_MAX];
    enum canary_verdict verdict = canary__judge(&rule, &t->canary, &t->stable, seconds, why);
    char *saw = text_of(t, seconds, verdict == CANARY_GOOD ? "good" : why);
    int next = canary__next_weight(t->weight);

    if (verdict == CANARY_WAIT) {
        if (now_ms - t->told_ms >= TELL_MS) {
            t->told_ms = now_ms;
            tell(en, service, saw);
        }
    } else {
        log_info(
            "keeper", verdict == CANARY_GOOD ? "canary_good" : "canary_bad",
            "app=%s version=%d weight=%d seconds=%lld requests=%llu errors=%llu others=%llu "
            "others_errors=%llu why=\"%s\"",
            a->name, t->version, t->weight, (long long)seconds,
            (unsigned long long)t->canary.requests, (unsigned long long)t->canary.errors,
            (unsigned long long)t->stable.requests, (unsigned long long)t->stable.errors, why);
        json_decref(t->steps);
        t->steps = json_loads(saw, 0, NULL);
        tell(en, service, saw);
        if (verdict == CANARY_BAD) {
            trials__note(en, w, a->name, t->version, saw, "failed");
            turn(en, service, ROLE_OLD, 0);
        } else if (next == 100) {
            trials__note(en, w, a->name, t->version, saw, NULL);
            turn(en, service, ROLE_STABLE, 100);
        } else {
            turn(en, service, ROLE_CANARY, next);
        }
    }
    free(saw);
}

void trials__look(struct trials *all, struct engine *en, const struct front *f,
                  const struct world *w, struct seen_app *a, int64_t now_ms)
{
    struct seen_version *canary = keeper__by_role(a, ROLE_CANARY);
    struct seen_version *stable = keeper__by_role(a, ROLE_STABLE);

    if (!canary || !a->canary_spec)
        return;
    struct trial *t = trial_of(all, a, canary, stable, now_ms);
    front__new(f, a->name, canary->number, &t->canary.requests, &t->canary.errors);
    if (stable)
        front__new(f, a->name, stable->number, &t->stable.requests, &t->stable.errors);
    t->canary.ended = grown(canary->ended, t->ended_before[0]);
    t->stable.ended = stable ? grown(stable->ended, t->ended_before[1]) : 0;
    t->canary.killed = grown(canary->killed, t->killed_before[0]);
    t->stable.killed = stable ? grown(stable->killed, t->killed_before[1]) : 0;
    if (now_ms - t->told_ms >= TELL_MS)
        read_metrics(t, a);
    decide(t, en, w, a, canary, now_ms);
}
