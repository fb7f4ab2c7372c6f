/*
 * What a first deploy that failed would leave. Volumes hold what people said, so one is removed
 * only when three things are known: it was not there before, the engine made it for this app,
 * and no version of the app has ever served.
 */
#include "fleet/remains.h"

#include "engine/engine.h"

#include <string.h>

#define WAIT_MS 30000 /* for the containers that have it to be gone */

static bool has_served(const struct app *a)
{
    for (size_t i = 0; i < a->count; i++)
        if (!*fleet__label(a->versions[i].config, LABEL_STATE))
            return true;
    return false;
}

int remains__look(struct engine *en, const struct app *a, const struct spec *s, json_t **ret,
                  struct err *e)
{
    const struct image_list volumes = spec_list(s, SPEC_VOLUMES);

    *ret = json_array();
    for (size_t i = 0; i < volumes.count && !has_served(a); i++) {
        const char *name = volumes.at[i].key;
        json_t *there = NULL;
        struct err why;
        int rc = engine_json(en, "GET", NULL, &there, &why, "/volumes/%s", name);
        json_decref(there);
        if (rc < 0 && why.code != ERR_NOT_FOUND) {
            *e = why;
            return -1;
        }
        if (rc < 0)
            json_array_append_new(*ret, json_string(name));
    }
    return 0;
}

/* Somebody may have made one of that name meanwhile. */
static bool came_with(struct engine *en, const char *name, const char *app)
{
    json_t *there = NULL;
    struct err ignored;

    if (engine_json(en, "GET", NULL, &there, &ignored, "/volumes/%s", name) < 0)
        return false;
    bool is = strcmp(fleet__text(json_object_get(there, "Labels"), LABEL_APP), app) == 0;
    json_decref(there);
    return is;
}

static void remove_one(const struct rollout *r, const char *name, int64_t until)
{
    struct err e = {0};

    while (came_with(r->en, name, r->app)) {
        if (engine_json(r->en, "DELETE", NULL, NULL, &e, "/volumes/%s", name) == 0)
            return;
        if (e.code != ERR_USED || fleet__now_ms() >= until || rollout__pause(r, &e) < 0) {
            rollout__say(r, "the volume '%s', which came with it, could not be removed: %s",
                         name, e.msg);
            return;
        }
    }
}

void remains__remove(const struct rollout *r, const json_t *volumes)
{
    int64_t until = fleet__now_ms() + WAIT_MS;

    for (size_t i = 0; i < json_array_size(volumes); i++)
        remove_one(r, json_string_value(json_array_get(volumes, i)), until);
}
