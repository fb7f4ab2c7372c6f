/* The Swarm's services, tasks and configs as apps with versions and containers. */
#include "fleet/keeper_int.h"

#include "base/alloc.h"
#include "base/base64.h"
#include "base/buf.h"
#include "base/log.h"
#include "engine/engine.h"
#include "fleet/service.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KILLED_EXIT 137 /* 128 + SIGKILL */

/* The published port for a port of the container's; 0: none. */
static unsigned port_of(const json_t *task, int inside)
{
    const json_t *ports = json_object_get(
        json_object_get(json_object_get(task, "Status"), "PortStatus"), "Ports");

    for (size_t i = 0; i < json_array_size(ports); i++) {
        const json_t *p = json_array_get(ports, i);
        if (json_integer_value(json_object_get(p, "TargetPort")) == inside)
            return (unsigned)json_integer_value(json_object_get(p, "PublishedPort"));
    }
    return 0;
}

/* Where a version's containers listen: its service was given that, and Maya's agent check. */
static int inside_of(const json_t *service)
{
    const json_t *ports = json_object_get(
        json_object_get(json_object_get(service, "Spec"), "EndpointSpec"), "Ports");
    int found = 0;

    for (size_t i = 0; i < json_array_size(ports); i++) {
        int port =
            (int)json_integer_value(json_object_get(json_array_get(ports, i), "TargetPort"));
        if (!found || found == FLEET_AGENT_PORT)
            found = port;
    }
    return found;
}

static struct seen_app *app_of(struct world *w, const char *name)
{
    for (size_t i = 0; i < w->count; i++)
        if (strcmp(w->apps[i].name, name) == 0)
            return &w->apps[i];
    w->apps = xrealloc(w->apps, (w->count + 1) * sizeof(*w->apps));
    w->apps[w->count] = (struct seen_app){.name = name};
    return &w->apps[w->count++];
}

static void add_version(struct world *w, const json_t *service)
{
    struct seen_app *a = app_of(w, fleet__label(service, LABEL_APP));
    int64_t ready = 0, serves = 0;
    const json_t *mode = json_object_get(json_object_get(service, "Spec"), "Mode");

    if (!str_to_int(fleet__label(service, LABEL_READY), &ready))
        ready = -1;
    if (!str_to_int(fleet__label(service, LABEL_SERVES), &serves))
        serves = -1;
    a->versions = xrealloc(a->versions, (a->version_count + 1) * sizeof(*a->versions));
    struct seen_version *v = &a->versions[a->version_count++];
    *v = (struct seen_version){
        .number = fleet__version(service),
        .weight = fleet__weight(service),
        .role = fleet__role(service),
        .wanted = (int)json_integer_value(
            json_object_get(json_object_get(mode, "Replicated"), "Replicas")),
        .ready = (int)ready,
        .serves = (int)serves,
        .service = service,
    };
    snprintf(v->name, sizeof(v->name), "v%d", v->number % 100000);
}

struct seen_version *keeper__version(struct seen_app *a, int number)
{
    for (size_t i = 0; i < a->version_count; i++)
        if (a->versions[i].number == number)
            return &a->versions[i];
    return NULL;
}

struct seen_version *keeper__by_role(struct seen_app *a, enum fleet_role r)
{
    for (size_t i = 0; i < a->version_count; i++)
        if (a->versions[i].role == r)
            return &a->versions[i];
    return NULL;
}

static bool running(const json_t *task)
{
    return strcmp(fleet__text(json_object_get(task, "Status"), "State"), "running") == 0 &&
           strcmp(fleet__text(task, "DesiredState"), "running") == 0;
}

/* By itself: nobody stopped it. */
static bool failed(const json_t *task)
{
    const char *state = fleet__text(json_object_get(task, "Status"), "State");

    return strcmp(state, "failed") == 0 || strcmp(state, "complete") == 0;
}

/* By a signal that is not ours: for memory, mostly. */
static bool killed(const json_t *task)
{
    const json_t *container =
        json_object_get(json_object_get(task, "Status"), "ContainerStatus");

    return json_integer_value(json_object_get(container, "ExitCode")) == KILLED_EXIT;
}

static void add_task(struct world *w, const json_t *task)
{
    const json_t *service = fleet__by_id(w->services, fleet__text(task, "ServiceID"));

    if (!service)
        return;
    struct seen_app *a = app_of(w, fleet__label(service, LABEL_APP));
    struct seen_version *v = keeper__version(a, fleet__version(service));
    if (!v || !a->spec)
        return;
    v->ended += failed(task);
    v->killed += failed(task) && killed(task);
    if (fleet__ended(task))
        return;
    v->tasks++;
    unsigned port = port_of(task, inside_of(v->service));
    if (!running(task) || !port)
        return;
    const json_t *node = fleet__by_id(w->nodes, fleet__text(task, "NodeID"));
    const char *host = fleet__text(json_object_get(node, "Status"), "Addr");
    a->tasks = xrealloc(a->tasks, (a->task_count + 1) * sizeof(*a->tasks));
    struct seen_task *t = &a->tasks[a->task_count++];
    *t = (struct seen_task){
        .id = fleet__text(task, "ID"),
        .container = fleet__text(
            json_object_get(json_object_get(task, "Status"), "ContainerStatus"), "ContainerID"),
        .port = port,
        .agent_port = port_of(task, FLEET_AGENT_PORT),
        .version = v->number};
    str_copy(t->address, sizeof(t->address), *host ? host : "127.0.0.1");
}

/* The version whose spec the gateway follows: the newest stable one, else the newest. */
static const struct seen_version *leading(const struct seen_app *a)
{
    const struct seen_version *best = &a->versions[0];

    for (size_t i = 1; i < a->version_count; i++) {
        const struct seen_version *v = &a->versions[i];
        bool stable = v->role == ROLE_STABLE, had = best->role == ROLE_STABLE;
        if (stable != had ? stable : v->number > best->number)
            best = v;
    }
    return best;
}

static struct spec *spec_of(const json_t *config)
{
    const char *data = fleet__text(json_object_get(config, "Spec"), "Data");
    struct buf text = BUF_INIT;
    struct spec *s = NULL;
    struct err e = {0};

    json_t *what = base64_read(&text, str_of(data))
                       ? json_loadb(buf_text(&text), text.len, 0, NULL)
                       : NULL;
    char *stored = json_dumps(json_object_get(what, "spec"), JSON_COMPACT);
    if (!stored || spec_restore(stored, strlen(stored), &s, &e) < 0)
        log_warn("keeper", "spec_unreadable", "config=%s why=\"%s\"", fleet__name(config),
                 e.msg);
    free(stored);
    json_decref(what);
    buf_release(&text);
    return s;
}

static struct spec *spec_kept(const struct world *w, const struct seen_app *a, int number)
{
    for (size_t k = 0; k < json_array_size(w->configs); k++) {
        const json_t *c = json_array_get(w->configs, k);
        if (fleet__version(c) == number && strcmp(fleet__label(c, LABEL_APP), a->name) == 0)
            return spec_of(c);
    }
    return NULL;
}

static void read_specs(struct world *w)
{
    for (size_t i = 0; i < w->count; i++) {
        struct seen_app *a = &w->apps[i];
        const struct seen_version *first = leading(a), *next = keeper__by_role(a, ROLE_NEXT);
        const struct seen_version *canary = keeper__by_role(a, ROLE_CANARY);
        a->spec = spec_kept(w, a, first->number);
        if (next && next != first)
            a->next_spec = spec_kept(w, a, next->number);
        if (canary)
            a->canary_spec = spec_kept(w, a, canary->number);
    }
}

/* The Swarm counts its changes, and each thing has the number of its last. */
static uint64_t stamp_of(const json_t *list)
{
    uint64_t sum = json_array_size(list);

    for (size_t i = 0; i < json_array_size(list); i++)
        sum += (uint64_t)json_integer_value(
            json_object_get(json_object_get(json_array_get(list, i), "Version"), "Index"));
    return sum;
}

static int by_name(const void *a, const void *b)
{
    const struct seen_app *x = a, *y = b;

    return strcmp(x->name, y->name);
}

int keeper__look(struct engine *en, struct world *ret, struct err *e)
{
    static const char *const filter[] = {"label", LABEL_VERSION, NULL};
    struct world w = {0};

    int rc = fleet__services(en, NULL, &w.services, e);
    if (rc == 0)
        rc = engine_json(en, "GET", NULL, &w.tasks, e, "/tasks");
    if (rc == 0)
        rc = engine_json(en, "GET", NULL, &w.nodes, e, "/nodes");
    if (rc == 0)
        rc = engine_list(en, "/configs", filter, &w.configs, e);
    if (rc < 0) {
        keeper__world_release(&w);
        return -1;
    }
    for (size_t i = 0; i < json_array_size(w.services); i++)
        add_version(&w, json_array_get(w.services, i));
    read_specs(&w);
    for (size_t i = 0; i < json_array_size(w.tasks); i++)
        add_task(&w, json_array_get(w.tasks, i));
    w.stamp = stamp_of(w.services) + stamp_of(w.tasks);
    if (w.count)
        qsort(w.apps, w.count, sizeof(*w.apps), by_name);
    *ret = w;
    return 0;
}

void keeper__world_release(struct world *w)
{
    for (size_t i = 0; i < w->count; i++) {
        spec_free(&w->apps[i].spec);
        spec_free(&w->apps[i].next_spec);
        spec_free(&w->apps[i].canary_spec);
        free(w->apps[i].versions);
        free(w->apps[i].tasks);
    }
    free(w->apps);
    json_decref(w->services);
    json_decref(w->tasks);
    json_decref(w->nodes);
    json_decref(w->configs);
    *w = (struct world){0};
}
