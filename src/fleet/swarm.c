/* What is kept in the Swarm's things, read. */
#include "fleet/fleet_int.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/strs.h"
#include "engine/engine.h"
#include "fleet/fleet.h"
#include "fleet/spec.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

const char *fleet__text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

const char *fleet__name(const json_t *thing)
{
    return fleet__text(json_object_get(thing, "Spec"), "Name");
}

const char *fleet__label(const json_t *thing, const char *label)
{
    return fleet__text(json_object_get(json_object_get(thing, "Spec"), "Labels"), label);
}

void fleet_join(struct buf *out, const json_t *texts)
{
    for (size_t i = 0; i < json_array_size(texts); i++)
        buf_printf(out, "%s%s", i ? ", " : "", json_string_value(json_array_get(texts, i)));
}

int fleet__version(const json_t *thing)
{
    int64_t n = 0;

    return str_to_int(fleet__label(thing, LABEL_VERSION), &n) && n > 0 && n < INT_MAX ? (int)n
                                                                                      : 0;
}

int fleet__services(struct engine *en, const char *app, json_t **ret, struct err *e)
{
    char *label = app ? xprintf(LABEL_APP "=%s", app) : xstrdup(LABEL_APP);
    const char *const filter[] = {"label", label, NULL};

    int rc = engine_list(en, "/services", filter, ret, e);
    free(label);
    return rc;
}

char *fleet__object(const char *app, int number)
{
    char suffix[16], name[SPEC_OBJECT_MAX + 1];

    snprintf(suffix, sizeof(suffix), "-v%d", number);
    spec_object_name(app, suffix, name);
    return xstrdup(name);
}

const json_t *fleet__by_id(const json_t *list, const char *id)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (strcmp(fleet__text(json_array_get(list, i), "ID"), id) == 0)
            return json_array_get(list, i);
    return NULL;
}

json_t *fleet__newest_of(const json_t *all, const char *label, const char *name)
{
    json_t *best = NULL;

    for (size_t i = 0; i < json_array_size(all); i++) {
        json_t *one = json_array_get(all, i);
        if (strcmp(fleet__label(one, label), name) == 0 &&
            (!best || fleet__version(one) > fleet__version(best)))
            best = one;
    }
    return best;
}

bool fleet__ended(const json_t *task)
{
    static const char *const states[] = {"complete", "shutdown", "failed",
                                         "rejected", "remove",   "orphaned"};
    const char *state = fleet__text(json_object_get(task, "Status"), "State");

    for (size_t i = 0; i < ARRAY_LEN(states); i++)
        if (strcmp(states[i], state) == 0)
            return true;
    return false;
}

int64_t fleet__now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}
