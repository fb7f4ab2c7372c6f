/* Versions of an app: kept as configs, running as services. */
#include "fleet/version.h"

#include "base/alloc.h"
#include "base/base64.h"
#include "base/buf.h"
#include "base/strs.h"
#include "engine/engine.h"
#include "fleet/spec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHANGE_TRIES 20 /* against who changes the same service at the same moment */

static const char *const roles[ROLE__COUNT] = {
    [ROLE_NEXT] = "next",
    [ROLE_STABLE] = "stable",
    [ROLE_CANARY] = "canary",
    [ROLE_OLD] = "old",
};

const char *fleet__role_text(enum fleet_role r)
{
    return roles[r];
}

enum fleet_role fleet__role(const json_t *service)
{
    const char *text = fleet__label(service, LABEL_ROLE);

    for (int r = 0; r < ROLE__COUNT; r++)
        if (strcmp(roles[r], text) == 0)
            return (enum fleet_role)r;
    return ROLE_OLD;
}

int fleet__weight(const json_t *service)
{
    int64_t n = 0;

    return str_to_int(fleet__label(service, LABEL_WEIGHT), &n) && n >= 0 && n <= 10000 ? (int)n
                                                                                       : 0;
}

static int configs_of(struct engine *en, const char *app, json_t **ret, struct err *e)
{
    char *label = xprintf(LABEL_APP "=%s", app);
    const char *const filter[] = {"label", label, "label", LABEL_VERSION, NULL};

    int rc = engine_list(en, "/configs", filter, ret, e);
    free(label);
    return rc;
}

static int newest_first(const void *a, const void *b)
{
    const struct version *x = a, *y = b;

    return y->number - x->number;
}

static json_t *service_of(const json_t *services, int number)
{
    for (size_t i = 0; i < json_array_size(services); i++)
        if (fleet__version(json_array_get(services, i)) == number)
            return json_array_get(services, i);
    return NULL;
}

int fleet__app_read(struct engine *en, const char *name, struct app *ret, struct err *e)
{
    struct app a = {0};

    /* In this order: why a version is taken back is noted in its config before its service is
     * told to go, so whoever sees that it goes sees why as well. */
    if (fleet__services(en, name, &a.services, e) < 0 ||
        configs_of(en, name, &a.configs, e) < 0) {
        json_decref(a.services);
        return -1;
    }
    a.name = xstrdup(name);
    a.versions = xalloc((json_array_size(a.configs) + 1) * sizeof(*a.versions));
    for (size_t i = 0; i < json_array_size(a.configs); i++) {
        json_t *c = json_array_get(a.configs, i);
        int number = fleet__version(c);
        if (number == 0)
            continue;
        a.versions[a.count++] = (struct version){
            .number = number,
            .tag = fleet__label(c, LABEL_TAG),
            .by = fleet__label(c, LABEL_BY),
            .commit = fleet__label(c, LABEL_COMMIT),
            .created = fleet__text(c, "CreatedAt"),
            .config_id = fleet__text(c, "ID"),
            .config = c,
            .service = service_of(a.services, number),
        };
    }
    qsort(a.versions, a.count, sizeof(*a.versions), newest_first);
    *ret = a;
    return 0;
}

void fleet__app_release(struct app *a)
{
    json_decref(a->configs);
    json_decref(a->services);
    free(a->versions);
    free(a->name);
    *a = (struct app){0};
}

const struct version *fleet__version_of(const struct app *a, int number)
{
    for (size_t i = 0; i < a->count; i++)
        if (a->versions[i].number == number)
            return &a->versions[i];
    return NULL;
}

const struct version *fleet__running(const struct app *a, enum fleet_role r)
{
    for (size_t i = 0; i < a->count; i++)
        if (a->versions[i].service && fleet__role(a->versions[i].service) == r)
            return &a->versions[i];
    return NULL;
}

int fleet__newest(const struct app *a)
{
    return a->count ? a->versions[0].number : 0;
}

int fleet__version_load(const struct version *v, json_t **ret, struct err *e)
{
    const char *data = fleet__text(json_object_get(v->config, "Spec"), "Data");
    struct buf text = BUF_INIT;

    *ret = NULL;
    if (base64_read(&text, str_of(data)))
        *ret = json_loadb(buf_text(&text), text.len, 0, NULL);
    buf_release(&text);
    if (*ret && json_is_object(*ret))
        return 0;
    return err_set(e, ERR_IO, 0, "what the Swarm keeps of v%d cannot be read", v->number);
}

int fleet__version_spec(const struct version *v, struct spec **ret, struct err *e)
{
    json_t *kept = NULL;

    if (fleet__version_load(v, &kept, e) < 0)
        return -1;
    char *stored = json_dumps(json_object_get(kept, "spec"), JSON_COMPACT);
    int rc = stored ? spec_restore(stored, strlen(stored), ret, e)
                    : err_set(e, ERR_IO, 0, "nothing is kept of what v%d was to be", v->number);
    free(stored);
    json_decref(kept);
    return rc;
}

int fleet__version_keep(struct engine *en, const char *app, int number, const json_t *what,
                        const char *tag, const char *by, const char *commit, struct err *e)
{
    char *text = json_dumps(what, JSON_COMPACT | JSON_SORT_KEYS), version[16];
    char *name = fleet__object(app, number);
    struct buf data = BUF_INIT;

    MUST(text);
    base64_add(&data, text, strlen(text));
    snprintf(version, sizeof(version), "%d", number);
    json_t *body =
        json_pack("{s:s, s:s, s:{s:s, s:s, s:s, s:s, s:s}}", "Name", name, "Data",
                  buf_text(&data), "Labels", LABEL_APP, app, LABEL_VERSION, version, LABEL_TAG,
                  tag ? tag : "", LABEL_BY, by ? by : "", LABEL_COMMIT, commit ? commit : "");
    int rc = body ? engine_json(en, "POST", body, NULL, e, "/configs/create")
                  : err_set(e, ERR_INVALID, 0, "a label of v%d is no UTF-8", number);
    json_decref(body);
    buf_release(&data);
    free(name);
    free(text);
    return rc;
}

void fleet__version_label(struct engine *en, const struct version *v, const char *label,
                          const char *text)
{
    json_t *spec = json_object_get(v->config, "Spec");
    json_int_t index =
        json_integer_value(json_object_get(json_object_get(v->config, "Version"), "Index"));
    struct err ignored; /* it is a note */

    json_object_set_new(json_object_get(spec, "Labels"), label, json_string(text));
    if (engine_json(en, "POST", spec, NULL, &ignored, "/configs/%s/update?version=%lld",
                    v->config_id, (long long)index) < 0)
        return;
}

/* Swarm answers 500 and these words when somebody else changed it in between. */
static bool out_of_step(const struct err *e)
{
    return strstr(e->msg, "out of sequence") != NULL;
}

int fleet__service_change(struct engine *en, const char *name,
                          void (*change)(void *ctx, json_t *spec), void *ctx, struct err *e)
{
    struct err why = {0};

    for (int i = 0; i < CHANGE_TRIES; i++) {
        json_t *service = NULL;
        if (engine_json(en, "GET", NULL, &service, &why, "/services/%s", name) < 0)
            break;
        json_t *spec = json_object_get(service, "Spec");
        json_int_t index =
            json_integer_value(json_object_get(json_object_get(service, "Version"), "Index"));
        change(ctx, spec);
        int rc = engine_json(en, "POST", spec, NULL, &why, "/services/%s/update?version=%lld",
                             name, (long long)index);
        json_decref(service);
        if (rc == 0)
            return 0;
        if (!out_of_step(&why))
            break;
    }
    if (e)
        *e = why;
    return -1;
}

static void set_labels(void *ctx, json_t *spec)
{
    json_t *labels = json_object_get(spec, "Labels");

    if (!labels) {
        labels = json_object();
        json_object_set_new(spec, "Labels", labels);
    }
    for (const char *const *p = ctx; p[0]; p += 2)
        json_object_set_new(labels, p[0], json_string(p[1]));
}

int fleet__service_label(struct engine *en, const char *name, const char *const *pairs,
                         struct err *e)
{
    return fleet__service_change(en, name, set_labels, (void *)(uintptr_t)pairs, e);
}

static void set_replicas(void *ctx, json_t *spec)
{
    json_object_set_new(json_object_get(json_object_get(spec, "Mode"), "Replicated"),
                        "Replicas", json_integer(*(int *)ctx));
}

int fleet__service_scale(struct engine *en, const char *name, int replicas, struct err *e)
{
    return fleet__service_change(en, name, set_replicas, &replicas, e);
}

int fleet__service_remove(struct engine *en, const char *name, struct err *e)
{
    struct err why;

    if (engine_json(en, "DELETE", NULL, NULL, &why, "/services/%s", name) == 0 ||
        why.code == ERR_NOT_FOUND)
        return 0;
    if (e)
        *e = why;
    return -1;
}
