/* Containers, as the Swarm tells of them: tasks, the services they are of, the nodes they are
 * on. */
#include "fleet/fleet.h"
#include "fleet/fleet_int.h"
#include "fleet/service.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "engine/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * "10.0.0.7:32768": where a container is reached, or JSON null. The engine tells the ports in
 * any order; the one where Maya tells the gateway of her room is none for people.
 */
static json_t *address_of(const json_t *task, const json_t *node)
{
    const json_t *ports = json_object_get(
        json_object_get(json_object_get(task, "Status"), "PortStatus"), "Ports");
    const char *host = fleet__text(json_object_get(node, "Status"), "Addr");

    for (size_t i = 0; i < json_array_size(ports); i++) {
        const json_t *at = json_array_get(ports, i),
                     *port = json_object_get(at, "PublishedPort");
        if (json_is_integer(port) &&
            json_integer_value(json_object_get(at, "TargetPort")) != FLEET_AGENT_PORT)
            return json_sprintf("%s:%d", *host ? host : "127.0.0.1",
                                (int)json_integer_value(port));
    }
    return json_null();
}

/* Only Maya has this port. */
static bool is_maya(const json_t *service)
{
    const json_t *ports = json_object_get(
        json_object_get(json_object_get(service, "Spec"), "EndpointSpec"), "Ports");

    for (size_t i = 0; i < json_array_size(ports); i++)
        if (json_integer_value(json_object_get(json_array_get(ports, i), "TargetPort")) ==
            FLEET_AGENT_PORT)
            return true;
    return false;
}

static json_t *row_of(const json_t *task, const json_t *service, const json_t *nodes)
{
    const json_t *status = json_object_get(task, "Status");
    const json_t *node = fleet__by_id(nodes, fleet__text(task, "NodeID"));
    const char *id = fleet__text(json_object_get(status, "ContainerStatus"), "ContainerID");

    return json_pack("{s:s, s:s, s:i, s:s, s:s, s:s, s:o, s:s, s:s, s:b}", "id", id, "app",
                     fleet__label(service, LABEL_APP), "version", fleet__version(service),
                     "node", fleet__text(json_object_get(node, "Description"), "Hostname"),
                     "state", fleet__text(status, "State"), "since",
                     fleet__text(status, "Timestamp"), "address", address_of(task, node),
                     "error", fleet__text(status, "Err"), "node_id",
                     fleet__text(task, "NodeID"), "maya", is_maya(service));
}

static int by_app(const void *a, const void *b)
{
    json_t *const *x = a, *const *y = b;
    int d = strcmp(fleet__text(*x, "app"), fleet__text(*y, "app"));

    if (d)
        return d;
    d = (int)json_integer_value(json_object_get(*x, "version")) -
        (int)json_integer_value(json_object_get(*y, "version"));
    return d ? d : strcmp(fleet__text(*x, "id"), fleet__text(*y, "id"));
}

static json_t *sorted(json_t *list)
{
    size_t n = json_array_size(list);
    json_t **rows = xalloc(n * sizeof(json_t *) + 1), *out = json_array();

    for (size_t i = 0; i < n; i++)
        rows[i] = json_array_get(list, i);
    qsort(rows, n, sizeof(json_t *), by_app);
    for (size_t i = 0; i < n; i++)
        json_array_append(out, rows[i]);
    free(rows);
    json_decref(list);
    return out;
}

int fleet_container_list(struct engine *en, const char *app, json_t **ret, struct err *e)
{
    json_t *services = NULL, *tasks = NULL, *nodes = NULL, *list = NULL;
    int rc = -1;

    if (engine_need_swarm(en, e) < 0 || fleet__services(en, app, &services, e) < 0 ||
        engine_json(en, "GET", NULL, &tasks, e, "/tasks") < 0 ||
        engine_json(en, "GET", NULL, &nodes, e, "/nodes") < 0)
        goto out;
    list = json_array();
    for (size_t i = 0; i < json_array_size(tasks); i++) {
        const json_t *task = json_array_get(tasks, i);
        const json_t *service = fleet__by_id(services, fleet__text(task, "ServiceID"));
        if (service && !fleet__ended(task))
            json_array_append_new(list, row_of(task, service, nodes));
    }
    *ret = sorted(list);
    rc = 0;
out:
    json_decref(nodes);
    json_decref(tasks);
    json_decref(services);
    return rc;
}

/* Ids are hexadecimal; what else is asked for is none. */
static int check_id(const char *id, struct err *e)
{
    if (*id && strspn(id, "0123456789abcdef") == strlen(id))
        return 0;
    return err_set(e, ERR_INVALID, 0,
                   "'%.40s' is no container's id; `maya container list` shows them", id);
}

/* This engine's own node: only its containers can be reached through it. */
static int own_node(struct engine *en, char **ret, struct err *e)
{
    json_t *info = NULL;

    if (engine_json(en, "GET", NULL, &info, e, "/info") < 0)
        return -1;
    *ret = xstrdup(fleet__text(json_object_get(info, "Swarm"), "NodeID"));
    json_decref(info);
    return 0;
}

static int choose(const json_t *list, const char *id, const char *node, char **ret,
                  struct err *e)
{
    const json_t *found = NULL;

    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *row = json_array_get(list, i);
        if (strncmp(fleet__text(row, "id"), id, strlen(id)) != 0)
            continue;
        if (found)
            return err_set(e, ERR_INVALID, 0,
                           "several containers begin with '%.40s'; give more of the id", id);
        found = row;
    }
    if (!found)
        return err_set(
            e, ERR_NOT_FOUND, 0,
            "no container of an app begins with '%.40s'; `maya container list` shows "
            "them",
            id);
    if (strcmp(fleet__text(found, "node_id"), node) != 0)
        return err_set(e, ERR_IO, 0,
                       "that container runs on the node %.60s; set DOCKER_HOST to its engine",
                       fleet__text(found, "node"));
    *ret = xstrdup(fleet__text(found, "id"));
    return 0;
}

int fleet_container_find(struct engine *en, const char *id, char **ret, struct err *e)
{
    json_t *list = NULL;
    char *node = NULL;
    int rc = -1;

    if (check_id(id, e) == 0 && fleet_container_list(en, NULL, &list, e) == 0 &&
        own_node(en, &node, e) == 0)
        rc = choose(list, id, node, ret, e);
    free(node);
    json_decref(list);
    return rc;
}

int fleet_container_stop(struct engine *en, const char *id, struct err *e)
{
    char *whole = NULL, *path;
    int rc;

    if (fleet_container_find(en, id, &whole, e) < 0)
        return -1;
    path = xprintf("/containers/%s/stop", whole);
    /* It says nothing until the container has drained. */
    struct engine_call call = {.method = "POST", .path = path};
    rc = engine_do(en, &call, e);
    engine_call_release(&call);
    free(path);
    free(whole);
    return rc;
}
