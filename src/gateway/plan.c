/* A plan written as JSON, for tests and for people who want to see what becomes of it. */
#include "gateway/gateway_int.h"

#include "base/alloc.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct gateway_file {
    struct gateway_plan plan;
    json_t *root;             /* the texts of the plan lie in it */
    struct gateway_app *apps; /* the plan's, and what they own */
};

/* A field of an object: where it goes. Exactly one of the pointers is set. */
struct field {
    const char *name;
    const char **text;
    unsigned *number;
    bool *flag;
    json_t **list;
};

static int wrong(struct err *e, const char *where, const char *name, const char *right)
{
    return err_set(e, ERR_CONFIG, 0, "the plan's %s: '%.40s' must be %s", where, name, right);
}

static int take(const struct field *f, json_t *v, const char *where, struct err *e)
{
    if (f->text) {
        if (!json_is_string(v) || strlen(json_string_value(v)) != json_string_length(v))
            return wrong(e, where, f->name, "a text");
        *f->text = json_string_value(v);
    } else if (f->number) {
        if (!json_is_integer(v) || json_integer_value(v) < 0 ||
            json_integer_value(v) > 1000000000)
            return wrong(e, where, f->name, "a whole number of 0 or more");
        *f->number = (unsigned)json_integer_value(v);
    } else if (f->flag) {
        if (!json_is_boolean(v))
            return wrong(e, where, f->name, "true or false");
        *f->flag = json_is_true(v);
    } else if (f->list) {
        if (!json_is_array(v))
            return wrong(e, where, f->name, "a list");
        *f->list = v;
    }
    return 0;
}

static int take_all(json_t *object, const struct field *fields, size_t count, const char *where,
                    struct err *e)
{
    const char *name;
    json_t *v;

    if (!json_is_object(object))
        return wrong(e, where, "it", "an object");
    json_object_foreach(object, name, v)
    {
        size_t i = 0;
        while (i < count && strcmp(fields[i].name, name) != 0)
            i++;
        if (i == count)
            return err_set(e, ERR_CONFIG, 0, "the plan's %s has no field '%.40s'", where, name);
        if (take(&fields[i], v, where, e) < 0)
            return -1;
    }
    return 0;
}

/* The index of `text` in `words`, or -1 and an error. */
static int which(const char *text, const char *const *words, int count, const char *where,
                 const char *name, struct err *e)
{
    for (int i = 0; i < count; i++)
        if (strcmp(words[i], text) == 0)
            return i;
    return wrong(e, where, name,
                 count == 3 && words[0][0] == 's' ? "stable, canary or old"
                                                  : "maint, ready or drain");
}

static int read_texts(json_t *list, const char *const **ret, size_t *ret_count,
                      const char *where, struct err *e)
{
    size_t n = json_array_size(list);
    const char **texts = xalloc((n + 1) * sizeof(*texts));

    *ret = texts; /* owned by the file from here on, also when it fails */
    *ret_count = n;
    for (size_t i = 0; i < n; i++) {
        struct field f = {.name = "an entry", .text = &texts[i]};
        if (take(&f, json_array_get(list, i), where, e) < 0)
            return -1;
    }
    return 0;
}

static int read_versions(json_t *list, struct gateway_app *a, struct err *e)
{
    static const char *const roles[] = {"stable", "canary", "old"};
    size_t n = json_array_size(list);
    struct gateway_version *versions = xalloc((n + 1) * sizeof(*versions));

    a->versions = versions;
    for (size_t i = 0; i < n; i++) {
        const char *role = roles[0];
        versions[i] = (struct gateway_version){.name = "", .weight = 100};
        struct field fields[] = {{.name = "name", .text = &versions[i].name},
                                 {.name = "weight", .number = &versions[i].weight},
                                 {.name = "role", .text = &role}};
        if (take_all(json_array_get(list, i), fields, ARRAY_LEN(fields), "version", e) < 0)
            return -1;
        int r = which(role, roles, GATEWAY_ROLE__COUNT, "version", "role", e);
        if (r < 0)
            return -1;
        versions[i].role = (enum gateway_role)r;
    }
    a->version_count = n;
    return 0;
}

static int read_servers(json_t *list, struct gateway_app *a, struct err *e)
{
    static const char *const states[] = {"maint", "ready", "drain"};
    size_t n = json_array_size(list);
    struct gateway_server *servers = xalloc((n + 1) * sizeof(*servers));

    a->servers = servers;
    for (size_t i = 0; i < n; i++) {
        struct gateway_server *s = &servers[i];
        const char *state = states[GATEWAY_READY];
        struct field fields[] = {{.name = "version", .text = &s->version},
                                 {.name = "address", .text = &s->address},
                                 {.name = "port", .number = &s->port},
                                 {.name = "agent_port", .number = &s->agent_port},
                                 {.name = "state", .text = &state}};
        if (take_all(json_array_get(list, i), fields, ARRAY_LEN(fields), "server", e) < 0)
            return -1;
        int r = which(state, states, GATEWAY_STATE__COUNT, "server", "state", e);
        if (r < 0)
            return -1;
        s->state = (enum gateway_state)r;
    }
    a->server_count = n;
    return 0;
}

static int read_app(json_t *object, struct gateway_app *a, struct err *e)
{
    json_t *hosts = NULL, *versions = NULL, *servers = NULL;

    *a = (struct gateway_app){.name = "",
                              .maya = true,
                              .health = "/readyz",
                              .expiry_s = 3600,
                              .turn_s = 300,
                              .wait_s = 60,
                              .slots = 16};
    struct field fields[] = {{.name = "name", .text = &a->name},
                             {.name = "hosts", .list = &hosts},
                             {.name = "fallback", .flag = &a->fallback},
                             {.name = "maya", .flag = &a->maya},
                             {.name = "agent", .flag = &a->agent},
                             {.name = "redirect", .flag = &a->redirect},
                             {.name = "health", .text = &a->health},
                             {.name = "waiting", .text = &a->waiting},
                             {.name = "wait_s", .number = &a->wait_s},
                             {.name = "expiry_s", .number = &a->expiry_s},
                             {.name = "turn_s", .number = &a->turn_s},
                             {.name = "slots", .number = &a->slots},
                             {.name = "versions", .list = &versions},
                             {.name = "servers", .list = &servers}};

    if (take_all(object, fields, ARRAY_LEN(fields), "app", e) < 0 ||
        read_texts(hosts, &a->hosts, &a->host_count, "hosts", e) < 0 ||
        read_versions(versions, a, e) < 0)
        return -1;
    return read_servers(servers, a, e);
}

static int read_plan(struct gateway_file *f, struct err *e)
{
    struct gateway_plan *p = &f->plan;
    json_t *certs = NULL, *apps = NULL;

    *p = (struct gateway_plan){.runtime = "/run/maya/gateway.sock",
                               .bind = "*",
                               .max_conns = 20000,
                               .buffer = 65536,
                               .check_ms = 1000};
    struct field fields[] = {{.name = "runtime", .text = &p->runtime},
                             {.name = "peer", .text = &p->peer},
                             {.name = "bind", .text = &p->bind},
                             {.name = "http_port", .number = &p->http_port},
                             {.name = "https_port", .number = &p->https_port},
                             {.name = "certs", .list = &certs},
                             {.name = "max_conns", .number = &p->max_conns},
                             {.name = "threads", .number = &p->threads},
                             {.name = "buffer", .number = &p->buffer},
                             {.name = "check_ms", .number = &p->check_ms},
                             {.name = "apps", .list = &apps}};

    if (take_all(f->root, fields, ARRAY_LEN(fields), "top", e) < 0 ||
        read_texts(certs, &p->certs, &p->cert_count, "certs", e) < 0)
        return -1;
    f->apps = xalloc((json_array_size(apps) + 1) * sizeof(*f->apps));
    p->apps = f->apps;
    for (; p->app_count < json_array_size(apps); p->app_count++)
        if (read_app(json_array_get(apps, p->app_count), &f->apps[p->app_count], e) < 0) {
            p->app_count++; /* what it has so far is freed too */
            return -1;
        }
    return 0;
}

int gateway_plan_read(const char *json, size_t len, struct gateway_file **ret, struct err *e)
{
    struct gateway_file *f = xalloc(sizeof(*f));
    json_error_t fault;

    f->root = json_loadb(json, len, JSON_REJECT_DUPLICATES, &fault);
    if (!f->root) {
        free(f);
        return err_set(e, ERR_CONFIG, 0, "the plan is not JSON: line %d: %.120s", fault.line,
                       fault.text);
    }
    if (read_plan(f, e) < 0 || gateway_check(&f->plan, e) < 0) {
        gateway_plan_free(&f);
        return -1;
    }
    *ret = f;
    return 0;
}

const struct gateway_plan *gateway_plan_of(const struct gateway_file *f)
{
    return &f->plan;
}

void gateway_plan_free(struct gateway_file **file)
{
    struct gateway_file *f = *file;

    if (!f)
        return;
    *file = NULL;
    for (size_t i = 0; i < f->plan.app_count; i++) {
        free((void *)(uintptr_t)f->apps[i].hosts);
        free((void *)(uintptr_t)f->apps[i].versions);
        free((void *)(uintptr_t)f->apps[i].servers);
    }
    free(f->apps);
    free((void *)(uintptr_t)f->plan.certs);
    json_decref(f->root);
    free(f);
}
