/*
 * Secrets. A Swarm secret cannot be changed or read back, so each replacement is another one:
 * "NAME.3" is the third version of NAME. Labels say the name and what values are in it.
 */
#include "fleet/fleet.h"
#include "fleet/fleet_int.h"
#include "fleet/rotated.h"

#include "base/alloc.h"
#include "base/base64.h"
#include "base/buf.h"
#include "base/strs.h"
#include "engine/engine.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECRET_MAX ((size_t)500 * 1024) /* of Swarm */

struct pair {
    char *name, *value;
};
struct fleet_values {
    struct pair *pairs;
    size_t count;
};

static void wipe(char *text)
{
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
}

struct fleet_values *fleet_values_new(void)
{
    return xalloc(sizeof(struct fleet_values));
}

void fleet_values_free(struct fleet_values **v)
{
    for (size_t i = 0; *v && i < (*v)->count; i++) {
        free((*v)->pairs[i].name);
        wipe((*v)->pairs[i].value);
    }
    if (*v)
        free((*v)->pairs);
    free(*v);
    *v = NULL;
}

size_t fleet_values_count(const struct fleet_values *v)
{
    return v->count;
}

static bool variable_name(const char *name)
{
    if (!isalpha((unsigned char)*name) && *name != '_')
        return false;
    while (isalnum((unsigned char)*name) || *name == '_')
        name++;
    return !*name;
}

int fleet_values_add(struct fleet_values *v, const char *name, const char *value, struct err *e)
{
    if (!variable_name(name))
        return err_set(e, ERR_INVALID, 0,
                       "'%.60s' is no name of a value: one has letters, digits and '_', and "
                       "does not begin with a digit",
                       name);
    for (size_t i = 0; i < v->count; i++)
        if (strcmp(v->pairs[i].name, name) == 0)
            return err_set(e, ERR_INVALID, 0, "%s is given twice", name);
    v->pairs = xrealloc(v->pairs, (v->count + 1) * sizeof(*v->pairs));
    v->pairs[v->count++] = (struct pair){xstrdup(name), xstrdup(value)};
    return 0;
}

/* As a .env file reads it: config's env.c. */
static void write_pair(struct buf *out, const struct pair *p)
{
    buf_printf(out, "%s=\"", p->name);
    for (const char *c = p->value; *c; c++) {
        if (*c == '\n')
            buf_str(out, "\\n");
        else if (*c == '\r')
            buf_str(out, "\\r");
        else if (strchr("\\\"$`", *c))
            buf_printf(out, "\\%c", *c);
        else
            buf_char(out, *c);
    }
    buf_str(out, "\"\n");
}

/* All Swarm secrets that are ours, with every version. */
static int read_all(struct engine *en, json_t **ret, struct err *e)
{
    static const char *const ours[] = {"label", LABEL_SECRET, NULL};

    int rc = engine_list(en, "/secrets", ours, ret, e);
    return rc;
}

static json_t *describe(const char *name, int version, const struct fleet_values *v)
{
    struct buf text = BUF_INIT, data = BUF_INIT, keys = BUF_INIT;
    char number[16], swarm[80];
    json_t *body;

    for (size_t i = 0; i < v->count; i++) {
        write_pair(&text, &v->pairs[i]);
        buf_printf(&keys, "%s%s", i ? "," : "", v->pairs[i].name);
    }
    base64_add(&data, buf_text(&text), text.len);
    snprintf(number, sizeof(number), "%d", version);
    snprintf(swarm, sizeof(swarm), "%s.%d", name, version);
    body = json_pack("{s:s, s:s, s:{s:s, s:s, s:s}}", "Name", swarm, "Data", buf_text(&data),
                     "Labels", LABEL_SECRET, name, LABEL_VERSION, number, LABEL_KEYS,
                     buf_text(&keys));
    buf_wipe(&text);
    buf_wipe(&data);
    buf_release(&keys);
    return body;
}

static int check_size(const struct fleet_values *v, struct err *e)
{
    size_t n = 0;

    for (size_t i = 0; i < v->count; i++)
        n += strlen(v->pairs[i].name) + 2 * strlen(v->pairs[i].value) + 4;
    if (n > SECRET_MAX)
        return err_set(e, ERR_INVALID, 0,
                       "a secret holds at most %zu KiB; these values are too long",
                       SECRET_MAX >> 10);
    if (v->count == 0)
        return err_set(e, ERR_INVALID, 0,
                       "a secret needs values: KEY=VALUE, --from-dotenv or --from-json");
    return 0;
}

/* JSON keeps copies of what it is given; jansson wipes none of them. */
static void wipe_body(json_t *body)
{
    const char *data = json_string_value(json_object_get(body, "Data"));

    if (data)
        explicit_bzero((char *)(uintptr_t)data, strlen(data));
    json_decref(body);
}

/*
 * Those before the one that was the newest: a deploy under way may have chosen that. The engine
 * keeps what a version has yet.
 */
static void tidy(struct engine *en, const json_t *all, const char *name)
{
    const json_t *newest = fleet__newest_of(all, LABEL_SECRET, name);
    struct err ignored;

    for (size_t i = 0; i < json_array_size(all); i++) {
        const json_t *s = json_array_get(all, i);
        if (s != newest && strcmp(fleet__label(s, LABEL_SECRET), name) == 0 &&
            engine_json(en, "DELETE", NULL, NULL, &ignored, "/secrets/%s",
                        fleet__text(s, "ID")) < 0)
            continue;
    }
}

int fleet_secret_create(struct engine *en, const char *name, const struct fleet_values *v,
                        bool replace, struct err *e)
{
    json_t *all = NULL;

    if (fleet_check_name("a secret", name, FLEET_SECRET_NAME_MAX, e) < 0 ||
        check_size(v, e) < 0 || engine_need_swarm(en, e) < 0 || read_all(en, &all, e) < 0)
        return -1;
    const json_t *before = fleet__newest_of(all, LABEL_SECRET, name);
    int version = before ? fleet__version(before) : 0;
    if (version && !replace) {
        json_decref(all);
        return err_set(e, ERR_USED, 0, "there is a secret '%s' already; --force replaces it",
                       name);
    }
    json_t *body = describe(name, version + 1, v);
    int rc = engine_json(en, "POST", body, NULL, e, "/secrets/create");
    wipe_body(body);
    if (rc < 0 && e && e->code == ERR_USED)
        err_set(e, ERR_EXISTS, 0,
                "a secret of the Swarm is called '%s.%d' already, and it is none of Maya's; "
                "choose another name",
                name, version + 1);
    if (rc == 0)
        tidy(en, all, name);
    json_decref(all);
    return rc;
}

/* Who uses this secret of the Swarm: the names of apps, or of services that are not ours. */
static void add_users(json_t *apps, const json_t *services, const char *swarm)
{
    for (size_t i = 0; i < json_array_size(services); i++) {
        const json_t *s = json_array_get(services, i);
        const json_t *uses = json_object_get(
            json_object_get(json_object_get(json_object_get(s, "Spec"), "TaskTemplate"),
                            "ContainerSpec"),
            "Secrets");
        for (size_t k = 0; k < json_array_size(uses); k++) {
            const char *used =
                json_string_value(json_object_get(json_array_get(uses, k), "SecretName"));
            const char *app = fleet__label(s, LABEL_APP);
            bool there = false;
            if (!used || strcmp(used, swarm) != 0 ||
                strcmp(fleet__name(s), ROTATED_KEEPER) == 0) /* for others */
                continue;
            if (!*app)
                app = fleet__name(s);
            for (size_t n = 0; n < json_array_size(apps); n++)
                there |= strcmp(json_string_value(json_array_get(apps, n)), app) == 0;
            if (!there)
                json_array_append_new(apps, json_string(app));
        }
    }
}

static json_t *users_of(const json_t *all, const json_t *services, const char *name)
{
    json_t *apps = json_array();

    for (size_t i = 0; i < json_array_size(all); i++) {
        const json_t *s = json_array_get(all, i);
        if (strcmp(fleet__label(s, LABEL_SECRET), name) == 0)
            add_users(apps, services, fleet__name(s));
    }
    return apps;
}

static json_t *split_keys(const char *text)
{
    json_t *keys = json_array();

    while (*text) {
        size_t n = strcspn(text, ",");
        json_array_append_new(keys, json_stringn(text, n));
        text += n + (text[n] == ',');
    }
    return keys;
}

static int by_name(const void *a, const void *b)
{
    json_t *const *x = a, *const *y = b;

    return strcmp(fleet__label(*x, LABEL_SECRET), fleet__label(*y, LABEL_SECRET));
}

static json_t *list_newest(const json_t *all, const json_t *services)
{
    size_t n = 0, most = json_array_size(all);
    json_t **rows = xalloc(most * sizeof(json_t *) + 1), *list = json_array();

    for (size_t i = 0; i < most; i++) {
        json_t *s = json_array_get(all, i);
        if (fleet__newest_of(all, LABEL_SECRET, fleet__label(s, LABEL_SECRET)) == s)
            rows[n++] = s;
    }
    qsort(rows, n, sizeof(json_t *), by_name);
    for (size_t i = 0; i < n; i++) {
        const char *name = fleet__label(rows[i], LABEL_SECRET);
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:o, s:i, s:O, s:o}", "name",
                                              name, "id", fleet__text(rows[i], "ID"),
                                              "swarm_name", fleet__name(rows[i]), "keys",
                                              split_keys(fleet__label(rows[i], LABEL_KEYS)),
                                              "version", fleet__version(rows[i]), "created",
                                              json_object_get(rows[i], "CreatedAt"), "apps",
                                              users_of(all, services, name)));
    }
    free(rows);
    return list;
}

int fleet__secrets_read(struct engine *en, json_t **all, json_t **services, struct err *e)
{
    if (read_all(en, all, e) < 0)
        return -1;
    return engine_json(en, "GET", NULL, services, e, "/services");
}

int fleet_secret_list(struct engine *en, json_t **ret, struct err *e)
{
    json_t *all = NULL, *services = NULL;
    int rc = engine_need_swarm(en, e);

    if (rc == 0)
        rc = fleet__secrets_read(en, &all, &services, e);
    if (rc == 0)
        *ret = list_newest(all, services);
    json_decref(services);
    json_decref(all);
    return rc;
}

/* Nobody but the keeper may have it yet, who brought it to a version that is gone. */
static int delete_all(struct engine *en, const json_t *all, const json_t *services,
                      const char *name, struct err *e)
{
    json_t *rotated = rotated__wanted(services, all);
    int rc = rotated__give(en, services, rotated, true, e);

    json_decref(rotated);
    if (rc < 0)
        return -1;
    for (size_t i = 0; i < json_array_size(all); i++) {
        const json_t *s = json_array_get(all, i);
        const char *id = json_string_value(json_object_get(s, "ID"));
        if (strcmp(fleet__label(s, LABEL_SECRET), name) == 0 &&
            engine_json(en, "DELETE", NULL, NULL, e, "/secrets/%s", id ? id : "") < 0)
            return -1;
    }
    return 0;
}

int fleet_secret_delete(struct engine *en, const char *name, struct err *e)
{
    json_t *all = NULL, *services = NULL;
    int rc = engine_need_swarm(en, e);

    if (rc == 0)
        rc = fleet__secrets_read(en, &all, &services, e);
    if (rc == 0 && !fleet__newest_of(all, LABEL_SECRET, name))
        rc = err_set(e, ERR_NOT_FOUND, 0, "there is no secret '%.80s'", name);
    if (rc == 0) {
        json_t *apps = users_of(all, services, name);
        struct buf who = BUF_INIT;
        fleet_join(&who, apps);
        if (json_array_size(apps))
            rc = err_set(e, ERR_USED, 0,
                         "the secret '%s' is used by %s; deploy without it first, or stop that",
                         name, buf_text(&who));
        else
            rc = delete_all(en, all, services, name, e);
        buf_release(&who);
        json_decref(apps);
    }
    json_decref(services);
    json_decref(all);
    return rc;
}
