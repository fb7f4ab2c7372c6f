/* Volumes: the engine's own, with a label, and who uses them. */
#include "fleet/volume_int.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "engine/engine.h"
#include "fleet/fleet.h"
#include "fleet/fleet_int.h"

#include <stdlib.h>
#include <string.h>

char *volume__join(const json_t *texts)
{
    struct buf out = BUF_INIT;

    fleet_join(&out, texts);
    char *text = xstrdup(buf_text(&out));
    buf_release(&out);
    return text;
}

/* The services of apps; none where there is no Swarm: volumes work without one. */
static int services_of(struct engine *en, json_t **ret, struct err *e)
{
    enum engine_swarm state = ENGINE_SWARM_NONE;

    if (!engine_is_podman(en) && engine_swarm(en, &state, e) < 0)
        return -1;
    if (state == ENGINE_SWARM_MANAGER)
        return fleet__services(en, NULL, ret, e);
    *ret = json_array();
    return 0;
}

static void add_once(json_t *list, const char *text)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (strcmp(json_string_value(json_array_get(list, i)), text) == 0)
            return;
    json_array_append_new(list, json_string(text));
}

static bool mounts(const json_t *service, const char *volume)
{
    const json_t *task = json_object_get(json_object_get(service, "Spec"), "TaskTemplate");
    const json_t *list = json_object_get(json_object_get(task, "ContainerSpec"), "Mounts");

    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *m = json_array_get(list, i);
        if (strcmp(fleet__text(m, "Source"), volume) == 0 &&
            strcmp(fleet__text(m, "Type"), "volume") == 0)
            return true;
    }
    return false;
}

static json_int_t replicas(const json_t *service)
{
    const json_t *mode = json_object_get(json_object_get(service, "Spec"), "Mode");

    return json_integer_value(json_object_get(json_object_get(mode, "Replicated"), "Replicas"));
}

static json_t *row_of(const json_t *volume, const json_t *services)
{
    json_t *apps = json_array(), *running = json_array();
    const char *name = fleet__text(volume, "Name");

    for (size_t i = 0; i < json_array_size(services); i++) {
        const json_t *s = json_array_get(services, i);
        if (!mounts(s, name))
            continue;
        add_once(apps, fleet__label(s, LABEL_APP));
        if (replicas(s) > 0)
            add_once(running, fleet__label(s, LABEL_APP));
    }
    return json_pack("{s:s, s:s, s:o, s:o}", "name", name, "created",
                     fleet__text(volume, "CreatedAt"), "apps", apps, "running", running);
}

static int by_name(const void *a, const void *b)
{
    json_t *const *x = a, *const *y = b;

    return strcmp(fleet__text(*x, "name"), fleet__text(*y, "name"));
}

static json_t *ours(const json_t *volumes, const json_t *services)
{
    size_t n = json_array_size(volumes), kept = 0;
    json_t **rows = xalloc(n * sizeof(json_t *) + 1), *list = json_array();

    for (size_t i = 0; i < n; i++) {
        const json_t *v = json_array_get(volumes, i);
        json_t *row = row_of(v, services);
        if (json_object_get(json_object_get(v, "Labels"), LABEL_VOLUME) ||
            json_array_size(json_object_get(row, "apps")))
            rows[kept++] = row;
        else
            json_decref(row);
    }
    if (kept)
        qsort(rows, kept, sizeof(json_t *), by_name);
    for (size_t i = 0; i < kept; i++)
        json_array_append_new(list, rows[i]);
    free(rows);
    return list;
}

int fleet_volume_list(struct engine *en, json_t **ret, struct err *e)
{
    json_t *answer = NULL, *services = NULL;
    int rc = engine_json(en, "GET", NULL, &answer, e, "/volumes");

    if (rc == 0)
        rc = services_of(en, &services, e);
    if (rc == 0)
        *ret = ours(json_object_get(answer, "Volumes"), services);
    json_decref(services);
    json_decref(answer);
    return rc;
}

int volume__find(struct engine *en, const char *name, json_t **ret, struct err *e)
{
    json_t *list = NULL;
    int rc = -1;

    if (fleet_volume_list(en, &list, e) < 0)
        return -1;
    for (size_t i = 0; i < json_array_size(list) && rc < 0; i++) {
        json_t *row = json_array_get(list, i);
        if (strcmp(fleet__text(row, "name"), name) == 0) {
            *ret = json_incref(row);
            rc = 0;
        }
    }
    json_decref(list);
    if (rc < 0)
        err_set(e, ERR_NOT_FOUND, 0,
                "there is no volume '%.80s' here; `maya volume list` shows them", name);
    return rc;
}

/* The engine says yes to a name that is there already. */
int fleet_volume_create(struct engine *en, const char *name, struct err *e)
{
    json_t *there = NULL;
    struct err why;

    if (fleet_check_volume_name(name, e) < 0)
        return -1;
    if (engine_json(en, "GET", NULL, &there, &why, "/volumes/%s", name) == 0) {
        json_decref(there);
        return err_set(e, ERR_EXISTS, 0, "there is a volume '%s' already", name);
    }
    if (why.code != ERR_NOT_FOUND) {
        *e = why;
        return -1;
    }
    json_t *body = json_pack("{s:s, s:s, s:{s:s}}", "Name", name, "Driver", "local", "Labels",
                             LABEL_VOLUME, "1");
    int rc = engine_json(en, "POST", body, NULL, e, "/volumes/create");
    json_decref(body);
    return rc;
}

/* Containers that have it, other than those of apps: their names. */
static int holders(struct engine *en, const char *name, json_t **ret, struct err *e)
{
    const char *const filter[] = {"volume", name, NULL};
    json_t *containers = NULL;

    int rc = engine_list(en, "/containers/json?all=1", filter, &containers, e);
    if (rc < 0)
        return -1;
    *ret = json_array();
    for (size_t i = 0; i < json_array_size(containers); i++) {
        const json_t *c = json_array_get(containers, i);
        const char *first = json_string_value(json_array_get(json_object_get(c, "Names"), 0));
        add_once(*ret, first && *first == '/' ? first + 1 : fleet__text(c, "Id"));
    }
    json_decref(containers);
    return 0;
}

static int refuse_used(const char *name, const json_t *apps, const json_t *containers,
                       struct err *e)
{
    char *who = volume__join(json_array_size(apps) ? apps : containers);

    if (json_array_size(apps))
        err_set(e, ERR_USED, 0,
                "the volume '%s' is used by %.100s; deploy without it first, or stop that",
                name, who);
    else
        err_set(e, ERR_USED, 0, "the volume '%s' is used by the container %.100s", name, who);
    free(who);
    return -1;
}

int fleet_volume_delete(struct engine *en, const char *name, struct err *e)
{
    json_t *row = NULL, *containers = NULL;
    int rc = volume__find(en, name, &row, e);

    if (rc == 0)
        rc = holders(en, name, &containers, e);
    if (rc == 0) {
        const json_t *apps = json_object_get(row, "apps");
        if (json_array_size(apps) || json_array_size(containers))
            rc = refuse_used(name, apps, containers, e);
        else
            rc = engine_json(en, "DELETE", NULL, NULL, e, "/volumes/%s", name);
    }
    json_decref(containers);
    json_decref(row);
    return rc;
}
