/*
 * The front of a host: the gateway and the keeper, two services of the Swarm that share a
 * volume with HAProxy's configuration and sockets. They run from one image, made here of this
 * program and this machine's HAProxy, on the manager that was asked to deploy.
 */
#include "fleet/front.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/strs.h"
#include "engine/engine.h"
#include "fleet/cert.h"
#include "fleet/fleet.h"
#include "fleet/rotated.h"
#include "fleet/service.h"
#include "fleet/version.h"
#include "image/image.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define NS 1000000000LL
#define PROGRAM "/usr/bin/maya"
#define MEMORY (256LL << 20)
#define STOP_S 30 /* the gateway's streams end when it does */
/* Longer than it takes to stop, in which the gateway is not to be found unwell. */
#define GATEWAY_WELL_S 15
#define CHANGE_S 180 /* for the Swarm to put one gateway in the place of the other */
#define BEGIN_S 15   /* for it to begin */
#define WATCH_S 2    /* for one that was found well to go on so */
#define LOOK_MS 100

/* What differs between the two. */
static const struct part {
    const char *name;
    bool replaceable; /* by one that runs beside it */
} parts[] = {
    {"gateway", true}, /* the one way in */
    {"keeper", false}, /* keeps the gateway in step with the engine */
};

static const char *find_haproxy(void)
{
    static const char *const places[] = {"/usr/sbin/haproxy", "/usr/local/sbin/haproxy",
                                         "/usr/bin/haproxy"};

    for (size_t i = 0; i < ARRAY_LEN(places); i++)
        if (access(places[i], X_OK) == 0)
            return places[i];
    return getenv("MAYA_HAPROXY");
}

static int add_programs(struct image_tree *t, struct err *e)
{
    const char *haproxy = find_haproxy();

    if (!haproxy || access(haproxy, X_OK) < 0)
        return err_set(
            e, ERR_CONFIG, 0,
            "HAProxy is not on this machine, and the gateway's image is made from it: "
            "apt-get install haproxy, or say in MAYA_HAPROXY where it is");
    if (image_add_program(t, PROGRAM, "/proc/self/exe", e) < 0 ||
        image_add_program(t, "usr/sbin/haproxy", haproxy, e) < 0)
        return -1;
    return image_add_library(t, "libcurl.so.4", e);
}

static int make_image(struct engine *en, struct image_made *ret, struct err *e)
{
    struct image_tree *t = image_tree_new();
    static const char passwd[] = "root:x:0:0:root:/:/sbin/nologin\n";
    json_t *config = json_pack("{s:[s], s:s, s:{s:s}}", "Entrypoint", PROGRAM, "WorkingDir",
                               "/", "Labels", LABEL_PART, "front");
    int rc = add_programs(t, e);

    if (rc == 0) {
        image_add_bytes(t, "etc/passwd", 0644, passwd, sizeof(passwd) - 1);
        image_add_folder(t, FLEET_GATEWAY_FOLDER, 0700, 0);
        image_add_folder(t, "tmp", 01777, 0);
        rc = image_load(en, "maya-front", t, config, ret, e);
    }
    json_decref(config);
    image_tree_free(&t);
    return rc;
}

static json_t *mounts(const struct part *p, const char *socket)
{
    json_t *list = json_pack("[{s:s, s:s, s:s}]", "Type", "volume", "Source", FRONT_VOLUME,
                             "Target", FLEET_GATEWAY_FOLDER);

    if (strcmp(p->name, "keeper") == 0)
        json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "Type", "bind", "Source",
                                              socket, "Target", "/var/run/docker.sock"));
    return list;
}

/* The keeper alone has the certificates; it gives them to the gateway. What was rotated it
 * brings to containers. */
static json_t *secrets(const struct part *p, const json_t *certs, const json_t *rotated)
{
    json_t *list = json_array();

    for (size_t i = 0; i < json_array_size(certs) && strcmp(p->name, "keeper") == 0; i++) {
        const json_t *c = json_array_get(certs, i);
        json_array_append_new(list, json_pack("{s:s, s:s, s:{s:o, s:s, s:s, s:i}}", "SecretID",
                                              fleet__text(c, "id"), "SecretName",
                                              fleet__text(c, "swarm_name"), "File", "Name",
                                              json_sprintf("%s.pem", fleet__text(c, "app")),
                                              "UID", "0", "GID", "0", "Mode", 0400));
    }
    if (strcmp(p->name, "keeper") == 0)
        rotated__mount(list, rotated);
    return list;
}

static json_t *arguments(const struct part *p, const struct front_cfg *cfg)
{
    if (strcmp(p->name, "gateway") == 0)
        return json_pack("[s, s]", "keeper", "gateway");
    return json_pack("[s, s, o, o]", "keeper", "run", json_sprintf("--http=%d", cfg->http_port),
                     json_sprintf("--https=%d", cfg->https_port));
}

/*
 * The one that is told to leave serves whom it has, and the Swarm tells it only when the next
 * one has taken its place: who asks whether that is well sees to it.
 */
static void make_replaceable(json_t *body)
{
    static const struct image_health how = {GATEWAY_WELL_S, 5, 3, true};
    json_t *container = json_object_get(json_object_get(body, "TaskTemplate"), "ContainerSpec");
    json_t *health = image_health(&how);

    json_array_append_new(json_object_get(health, "Test"), json_string("gateway"));
    json_object_set_new(container, "Healthcheck", health);
    json_object_set_new(container, "StopSignal", json_string("SIGUSR1"));
    json_object_set_new(container, "Env",
                        json_pack("[s]", FLEET_GATEWAY_INSTANCE "={{.Task.ID}}"));
    json_object_set_new(json_object_get(body, "UpdateConfig"), "FailureAction",
                        json_string("rollback"));
    json_object_set_new(body, "RollbackConfig", json_pack("{s:s}", "Order", "start-first"));
}

/* Root, but for the ports below 1024 and the engine's socket it may do nothing that others may
 * not. */
static json_t *body_of(const struct part *p, const struct front_cfg *cfg, const char *image,
                       const char *node, const char *host_net, const char *socket,
                       const json_t *certs, const json_t *rotated)
{
    char *service = xprintf("maya-%s", p->name), *place = xprintf("node.id==%s", node);
    char http[16], https[16];

    snprintf(http, sizeof(http), "%d", cfg->http_port);
    snprintf(https, sizeof(https), "%d", cfg->https_port);
    json_t *body = json_pack(
        "{s:s, s:{s:s, s:s, s:s}, s:{s:{s:s, s:o, s:b, s:o, s:o, s:I, s:[s], s:[s]}, "
        "s:{s:{s:I}, "
        "s:{s:I}}, "
        "s:{s:[s]}, s:{s:s, s:I}, s:[{s:s}]}, s:{s:{s:i}}, s:{s:s, s:I}}",
        "Name", service, "Labels", LABEL_PART, p->name, LABEL_HTTP, http, LABEL_HTTPS, https,
        "TaskTemplate", "ContainerSpec", "Image", image, "Args", arguments(p, cfg), "ReadOnly",
        1, "Mounts", mounts(p, socket), "Secrets", secrets(p, certs, rotated),
        "StopGracePeriod", (json_int_t)(STOP_S * NS), "CapabilityDrop", "ALL", "CapabilityAdd",
        "CAP_NET_BIND_SERVICE", "Resources", "Limits", "MemoryBytes", (json_int_t)MEMORY,
        "Reservations", "MemoryBytes", (json_int_t)(64LL << 20), "Placement", "Constraints",
        place, "RestartPolicy", "Condition", "any", "Delay", (json_int_t)(NS / 2), "Networks",
        "Target", host_net, "Mode", "Replicated", "Replicas", 1, "UpdateConfig", "Order",
        p->replaceable ? "start-first" : "stop-first", "Monitor", (json_int_t)(WATCH_S * NS));
    MUST(body);
    if (p->replaceable)
        make_replaceable(body);
    free(place);
    free(service);
    return body;
}

/* The spec that is there without what the engine filled in: what of ours differs? */
static bool covers(const json_t *there, const json_t *ours)
{
    const char *key;
    json_t *value;

    if (json_is_object(ours)) {
        json_object_foreach(
            (json_t *)(uintptr_t)ours, key,
            value) if (!covers(json_object_get(there, key), value)) return false;
        return true;
    }
    if (json_is_array(ours)) {
        if (json_array_size(there) != json_array_size(ours))
            return false;
        for (size_t i = 0; i < json_array_size(ours); i++)
            if (!covers(json_array_get(there, i), json_array_get(ours, i)))
                return false;
        return true;
    }
    return json_equal(there, ours);
}

static void replace(void *ctx, json_t *spec)
{
    json_object_clear(spec);
    json_object_update(spec, ctx);
}

/* What the Swarm says of a change of this service: "updating", "completed"; "" when nothing. */
static int state_of(struct engine *en, const char *name, char *ret, size_t size, struct err *e)
{
    json_t *s = NULL;

    if (engine_json(en, "GET", NULL, &s, e, "/services/%s", name) < 0)
        return -1;
    snprintf(ret, size, "%s", fleet__text(json_object_get(s, "UpdateStatus"), "State"));
    json_decref(s);
    return 0;
}

/* Until the new one has the place of the one before: nothing else is changed meanwhile. */
static int wait_replaced(struct engine *en, const char *name, struct err *e)
{
    int64_t began = fleet__now_ms(), waited = 0;
    char state[32], words[160];

    do {
        if (state_of(en, name, state, sizeof(state), e) < 0)
            return -1;
        if (strcmp(state, "completed") == 0 || (!*state && waited > BEGIN_S * 1000))
            return 0;
        bool goes_on = strcmp(state, "updating") == 0 || strcmp(state, "rollback_started") == 0;
        if (*state && !goes_on)
            break;
        poll(NULL, 0, LOOK_MS);
        waited = fleet__now_ms() - began;
    } while (waited < CHANGE_S * 1000);
    fleet__last_words(en, name, words, sizeof(words));
    return err_set(
        e, ERR_IO, 0,
        "the gateway of this build does not start, and the one before it goes on%s%s",
        *words ? "; it says: " : "", words);
}

/* The host's network has another id in the Swarm, which the engine puts in the place of ours.
 */
static void same_network(json_t *body, const json_t *there)
{
    const json_t *spec = json_object_get(there, "Spec");
    json_t *net = json_object_get(json_object_get(spec, "TaskTemplate"), "Networks");

    if (json_array_size(net) == 1)
        json_object_set(json_object_get(body, "TaskTemplate"), "Networks", net);
}

/* A task that the Swarm would not have to replace is not waited for. */
static int see_to(struct engine *en, json_t *body, bool replaceable, struct err *e)
{
    const char *name = fleet__text(body, "Name");
    json_t *there = NULL;
    int rc = engine_json(en, "GET", NULL, &there, e, "/services/%s", name);

    same_network(body, there);
    if (rc < 0 && e->code == ERR_NOT_FOUND) {
        rc = engine_json(en, "POST", body, NULL, e, "/services/create");
    } else if (rc == 0 && !covers(json_object_get(there, "Spec"), body)) {
        const json_t *task = json_object_get(json_object_get(there, "Spec"), "TaskTemplate");
        bool other = !covers(task, json_object_get(body, "TaskTemplate"));
        rc = fleet__service_change(en, name, replace, body, e);
        if (rc == 0 && other && replaceable)
            rc = wait_replaced(en, name, e);
    }
    json_decref(there);
    return rc;
}

/* The ids that the bodies need: our node's, the host network's. */
static int look_up(struct engine *en, char **node, char **net, struct err *e)
{
    json_t *info = NULL, *network = NULL;
    int rc = engine_json(en, "GET", NULL, &info, e, "/info");

    if (rc == 0)
        rc = engine_json(en, "GET", NULL, &network, e, "/networks/host");
    if (rc == 0) {
        *node = xstrdup(fleet__text(json_object_get(info, "Swarm"), "NodeID"));
        *net = xstrdup(fleet__text(network, "Id"));
    }
    json_decref(info);
    json_decref(network);
    return rc;
}

/* The ports that it has; what it has not yet is as it would be made. */
static int front_ports(struct engine *en, struct front_cfg *ret, bool *ret_there, struct err *e)
{
    json_t *there = NULL;
    struct err why;
    int64_t n;
    int rc = engine_json(en, "GET", NULL, &there, &why, "/services/maya-keeper");

    *ret = (struct front_cfg){.http_port = FRONT_HTTP_PORT};
    if (rc == 0 && str_to_int(fleet__label(there, LABEL_HTTP), &n))
        ret->http_port = (int)n;
    if (rc == 0 && str_to_int(fleet__label(there, LABEL_HTTPS), &n))
        ret->https_port = (int)n;
    json_decref(there);
    if (rc < 0 && why.code != ERR_NOT_FOUND) {
        *e = why;
        return -1;
    }
    *ret_there = rc == 0;
    return 0;
}

int fleet__front_ports(struct engine *en, struct front_cfg *ret, struct err *e)
{
    bool there;

    return front_ports(en, ret, &there, e);
}

/* HAProxy would say so to nobody but its log. Only where the engine is on this machine. */
static int port_free(const char *flag, int port, struct err *e)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int one = 1, fd = port > 0 ? socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) : -1;

    if (fd < 0)
        return 0;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    bool taken = bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 && errno == EADDRINUSE;
    close(fd);
    return taken ? err_set(e, ERR_CONFIG, 0,
                           "another program has port %d of this machine, which the gateway is "
                           "to have; --%s says another",
                           port, flag)
                 : 0;
}

static int ports_free(struct engine *en, const struct front_cfg *now, bool there,
                      const struct front_cfg *cfg, struct err *e)
{
    if (strncmp(engine_shown(en), "unix://", 7) != 0)
        return 0;
    if ((!there || now->http_port != cfg->http_port) &&
        port_free("http", cfg->http_port, e) < 0)
        return -1;
    return there && now->https_port == cfg->https_port ? 0
                                                       : port_free("https", cfg->https_port, e);
}

static int need_https(const struct front_cfg *cfg, const char *app, struct err *e)
{
    if (cfg->https_port > 0)
        return 0;
    return err_set(e, ERR_CONFIG, 0,
                   "'%.80s' has a certificate, and the gateway would have no port for HTTPS; "
                   "--https=443 gives it one",
                   app);
}

/* What is wanted, and what nobody named as it is. */
static int meant(const struct front_cfg *wanted, const struct front_cfg *now,
                 struct front_cfg *ret, struct err *e)
{
    ret->http_port = wanted->http_port < 0 ? now->http_port : wanted->http_port;
    ret->https_port = wanted->https_port < 0 ? now->https_port : wanted->https_port;
    if (ret->http_port == 0 && ret->https_port == 0)
        return err_set(e, ERR_CONFIG, 0,
                       "without a port for HTTP and without one for HTTPS nobody could come to "
                       "any app; give --http or --https one");
    if (ret->http_port == ret->https_port)
        return err_set(e, ERR_CONFIG, 0, "--http and --https cannot both have port %d",
                       ret->http_port);
    return 0;
}

int fleet__front_check(struct engine *en, const struct front_cfg *wanted, const struct spec *s,
                       struct err *e)
{
    struct front_cfg now, cfg;
    bool there;

    if (front_ports(en, &now, &there, e) < 0 || meant(wanted, &now, &cfg, e) < 0 ||
        ports_free(en, &now, there, &cfg, e) < 0 ||
        (*spec_text(s, SPEC_TLS_CERTIFICATE) &&
         need_https(&cfg, spec_text(s, SPEC_NAME), e) < 0) ||
        fleet__cert_check(s, e) < 0)
        return -1;
    return fleet__hosts_check(en, s, e);
}

int fleet__front(struct engine *en, const struct front_cfg *wanted, struct err *e)
{
    struct front_cfg now, cfg;
    bool there;

    if (front_ports(en, &now, &there, e) < 0 || meant(wanted, &now, &cfg, e) < 0 ||
        ports_free(en, &now, there, &cfg, e) < 0)
        return -1;

    const char *address = engine_shown(en);
    const char *socket =
        strncmp(address, "unix://", 7) == 0 ? address + 7 : "/var/run/docker.sock";
    struct image_made image = {0};
    char *node = NULL, *net = NULL;
    json_t *certs = NULL, *rotated = NULL;
    int rc = fleet__cert_list(en, &certs, e);

    if (rc == 0 && json_array_size(certs))
        rc = need_https(&cfg, fleet__text(json_array_get(certs, 0), "app"), e);
    if (rc == 0)
        rc = make_image(en, &image, e);
    if (rc == 0)
        rc = rotated__list(en, &rotated, e);

    if (rc == 0)
        rc = look_up(en, &node, &net, e);
    for (size_t i = 0; rc == 0 && i < ARRAY_LEN(parts); i++) {
        json_t *body = body_of(&parts[i], &cfg, image.ref, node, net, socket, certs, rotated);
        rc = see_to(en, body, parts[i].replaceable, e);
        json_decref(body);
    }
    if (rc == 0)
        fleet__cert_tidy(en);
    free(net);
    free(node);
    json_decref(rotated);
    json_decref(certs);
    image_made_release(&image);
    return rc;
}
