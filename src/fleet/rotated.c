/* Which secrets were replaced under running versions, and what the keeper is given of them. */
#include "fleet/rotated.h"

#include "base/alloc.h"
#include "engine/engine.h"
#include "fleet/fleet.h"
#include "fleet/version.h"

#include <stdlib.h>
#include <string.h>

#define VARIABLE "MAYA_SECRETS_DIR="
#define SAID VARIABLE "/run/secrets," ROTATED_FOLDER

void rotated__environment(json_t *env)
{
    for (size_t i = 0; i < json_array_size(env); i++)
        if (strncmp(json_string_value(json_array_get(env, i)), VARIABLE, strlen(VARIABLE)) == 0)
            return;
    json_array_append_new(env, json_string(SAID));
}

static json_t *container_of(const json_t *spec)
{
    return json_object_get(json_object_get(spec, "TaskTemplate"), "ContainerSpec");
}

static const json_t *given_to(const json_t *service)
{
    return json_object_get(container_of(json_object_get(service, "Spec")), "Secrets");
}

bool rotated__takes(const json_t *service)
{
    const json_t *env = json_object_get(container_of(json_object_get(service, "Spec")), "Env");

    for (size_t i = 0; i < json_array_size(env); i++)
        if (strcmp(json_string_value(json_array_get(env, i)), SAID) == 0)
            return true;
    return false;
}

static const char *file_of(const json_t *given)
{
    return fleet__text(json_object_get(given, "File"), "Name");
}

static bool older(const json_t *service, const char *name, const char *newest)
{
    const json_t *given = given_to(service);

    for (size_t i = 0; i < json_array_size(given); i++) {
        const json_t *one = json_array_get(given, i);
        if (strcmp(file_of(one), name) == 0 &&
            strcmp(fleet__text(one, "SecretID"), newest) != 0)
            return true;
    }
    return false;
}

bool rotated__older(const json_t *service, const json_t *newest)
{
    return older(service, fleet__text(newest, "name"), fleet__text(newest, "id"));
}

static int by_name(const void *a, const void *b)
{
    const json_t *const *x = a, *const *y = b;

    return strcmp(fleet__label(*x, LABEL_SECRET), fleet__label(*y, LABEL_SECRET));
}

static bool needed(const json_t *services, const json_t *secret)
{
    for (size_t i = 0; i < json_array_size(services); i++) {
        const json_t *s = json_array_get(services, i);
        if (*fleet__label(s, LABEL_APP) && rotated__takes(s) &&
            older(s, fleet__label(secret, LABEL_SECRET), fleet__text(secret, "ID")))
            return true;
    }
    return false;
}

json_t *rotated__wanted(const json_t *services, const json_t *secrets)
{
    size_t n = 0, most = json_array_size(secrets);
    const json_t **found = xalloc((most + 1) * sizeof(*found));
    json_t *list = json_array();

    for (size_t i = 0; i < most; i++) {
        const json_t *one = json_array_get(secrets, i);
        const char *name = fleet__label(one, LABEL_SECRET);
        if (*name && one == fleet__newest_of(secrets, LABEL_SECRET, name) &&
            needed(services, one))
            found[n++] = one;
    }
    qsort((void *)(uintptr_t)found, n, sizeof(*found), by_name);
    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "name",
                                              fleet__label(found[i], LABEL_SECRET), "id",
                                              fleet__text(found[i], "ID"), "swarm_name",
                                              fleet__name(found[i])));
    free((void *)(uintptr_t)found);
    return list;
}

int rotated__list(struct engine *en, json_t **ret, struct err *e)
{
    json_t *services = NULL, *secrets = NULL;
    int rc = fleet__secrets_read(en, &secrets, &services, e);

    if (rc == 0)
        *ret = rotated__wanted(services, secrets);
    json_decref(secrets);
    json_decref(services);
    return rc;
}

static json_t *row_of(const json_t *rows, const char *name)
{
    for (size_t i = 0; i < json_array_size(rows); i++)
        if (strcmp(fleet__text(json_array_get(rows, i), "name"), name) == 0)
            return json_array_get(rows, i);
    return NULL;
}

int rotated__had(struct engine *en, const json_t *service, const json_t *rows, json_t **ret,
                 struct err *e)
{
    json_t *newest = NULL, *list = json_array();
    int rc = service && rotated__takes(service) ? rotated__list(en, &newest, e) : 0;

    for (size_t i = 0; i < json_array_size(rows); i++) {
        json_t *row = json_array_get(rows, i), *now = row_of(newest, fleet__text(row, "name"));
        json_array_append(list, now ? now : row);
    }
    json_decref(newest);
    if (rc == 0)
        *ret = list;
    else
        json_decref(list);
    return rc;
}

void rotated__mount(json_t *given, const json_t *wanted)
{
    for (size_t i = 0; i < json_array_size(wanted); i++) {
        const json_t *w = json_array_get(wanted, i);
        const char *swarm = fleet__text(w, "swarm_name");
        json_array_append_new(given,
                              json_pack("{s:s, s:s, s:{s:o, s:s, s:s, s:i}}", "SecretID",
                                        fleet__text(w, "id"), "SecretName", swarm, "File",
                                        "Name", json_sprintf("%s" ROTATED_SUFFIX, swarm), "UID",
                                        "0", "GID", "0", "Mode", 0400));
    }
}

/* Beside the certificates. */
static bool rotated(const json_t *given)
{
    const char *file = file_of(given);
    size_t len = strlen(file), end = strlen(ROTATED_SUFFIX);

    return len > end && strcmp(file + len - end, ROTATED_SUFFIX) == 0;
}

static const json_t *keeper_of(const json_t *services)
{
    for (size_t i = 0; i < json_array_size(services); i++)
        if (strcmp(fleet__name(json_array_get(services, i)), ROTATED_KEEPER) == 0)
            return json_array_get(services, i);
    return NULL;
}

static bool among(const json_t *list, const char *key, const char *id)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (strcmp(fleet__text(json_array_get(list, i), key), id) == 0)
            return true;
    return false;
}

unsigned rotated__differs(const json_t *services, const json_t *wanted)
{
    const json_t *keeper = keeper_of(services), *given = keeper ? given_to(keeper) : NULL;
    unsigned differs = 0;

    for (size_t i = 0; keeper && i < json_array_size(wanted); i++)
        if (!among(given, "SecretID", fleet__text(json_array_get(wanted, i), "id")))
            differs |= ROTATED_MISSING;
    for (size_t i = 0; i < json_array_size(given); i++) {
        const json_t *one = json_array_get(given, i);
        if (rotated(one) && !among(wanted, "id", fleet__text(one, "SecretID")))
            differs |= ROTATED_EXTRA;
    }
    return differs;
}

static void change(void *ctx, json_t *spec)
{
    json_t *container = container_of(spec), *given = json_object_get(container, "Secrets");
    json_t *list = json_array();

    for (size_t i = 0; i < json_array_size(given); i++)
        if (!rotated(json_array_get(given, i)))
            json_array_append(list, json_array_get(given, i));
    rotated__mount(list, ctx);
    json_object_set_new(container, "Secrets", list);
}

int rotated__give(struct engine *en, const json_t *services, const json_t *wanted, bool all,
                  struct err *e)
{
    unsigned why = rotated__differs(services, wanted);

    if (why & ROTATED_MISSING || (all && why))
        return fleet__service_change(en, ROTATED_KEEPER, change, (void *)(uintptr_t)wanted, e);
    return 0;
}

/* For people */

/* Once, and in order. */
static void add(json_t *list, const char *app)
{
    size_t at = 0;
    int d = 1;

    while (at < json_array_size(list) &&
           (d = strcmp(json_string_value(json_array_get(list, at)), app)) < 0)
        at++;
    if (d != 0)
        json_array_insert_new(list, at, json_string(app));
}

int fleet_secret_takers(struct engine *en, const char *name, json_t **ret_now,
                        json_t **ret_later, struct err *e)
{
    json_t *services = NULL, *secrets = NULL;
    int rc = fleet__secrets_read(en, &secrets, &services, e);

    if (rc == 0) {
        const json_t *newest = fleet__newest_of(secrets, LABEL_SECRET, name);
        *ret_now = json_array();
        *ret_later = json_array();
        for (size_t i = 0; newest && i < json_array_size(services); i++) {
            const json_t *s = json_array_get(services, i);
            if (*fleet__label(s, LABEL_APP) && older(s, name, fleet__text(newest, "ID")))
                add(rotated__takes(s) ? *ret_now : *ret_later, fleet__label(s, LABEL_APP));
        }
    }
    json_decref(secrets);
    json_decref(services);
    return rc;
}
