/* What apps there are, and what became of them. */
#include "fleet/fleet.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/strs.h"
#include "engine/engine.h"
#include "fleet/cert.h"
#include "fleet/front.h"
#include "fleet/keeper_int.h"
#include "fleet/version.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The names of all apps that were ever deployed, each once, sorted. */
static int names_of(struct engine *en, json_t **ret, struct err *e)
{
    static const char *const filter[] = {"label", LABEL_VERSION, NULL};
    json_t *configs = NULL, *set, *names;
    const char *name;
    json_t *ignored;

    int rc = engine_list(en, "/configs", filter, &configs, e);
    if (rc < 0)
        return -1;
    set = json_object();
    for (size_t i = 0; i < json_array_size(configs); i++)
        json_object_set_new(set, fleet__label(json_array_get(configs, i), LABEL_APP),
                            json_true());
    char *sorted = json_dumps(set, JSON_SORT_KEYS | JSON_COMPACT);
    json_decref(set);
    set = sorted ? json_loads(sorted, 0, NULL) : NULL;
    free(sorted);
    names = json_array();
    json_object_foreach(set, name, ignored)
    {
        json_array_append_new(names, json_string(name));
    }
    json_decref(set);
    json_decref(configs);
    *ret = names;
    return 0;
}

static int containers_of(const json_t *list, int version)
{
    int n = 0;

    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *c = json_array_get(list, i);
        n += json_integer_value(json_object_get(c, "version")) == version &&
             strcmp(fleet__text(c, "state"), "running") == 0;
    }
    return n;
}

static const char *state_of(const struct app *a)
{
    if (json_array_size(a->services) == 0)
        return "stopped";
    if (fleet__running(a, ROLE_STABLE))
        return "deployed";
    return fleet__running(a, ROLE_NEXT) ? "starting" : "stopping";
}

static int describe(struct engine *en, const char *name, json_t *list, struct err *e)
{
    struct app a;
    json_t *containers = NULL;
    int n = 0;

    if (fleet__app_read(en, name, &a, e) < 0)
        return -1;
    if (fleet_container_list(en, name, &containers, e) < 0) {
        fleet__app_release(&a);
        return -1;
    }
    const struct version *stable = fleet__running(&a, ROLE_STABLE), *shown = stable;
    if (!shown && a.count)
        shown = &a.versions[0];
    for (size_t i = 0; i < a.count; i++)
        n += containers_of(containers, a.versions[i].number);
    if (shown)
        json_array_append_new(list, json_pack("{s:s, s:s, s:i, s:i, s:s}", "name", name,
                                              "state", state_of(&a), "version", shown->number,
                                              "containers", n, "created", shown->created));
    json_decref(containers);
    fleet__app_release(&a);
    return 0;
}

int fleet_app_list(struct engine *en, json_t **ret, struct err *e)
{
    json_t *names = NULL, *list;
    int rc = 0;

    if (engine_need_swarm(en, e) < 0 || names_of(en, &names, e) < 0)
        return -1;
    list = json_array();
    for (size_t i = 0; rc == 0 && i < json_array_size(names); i++)
        rc = describe(en, json_string_value(json_array_get(names, i)), list, e);
    json_decref(names);
    if (rc == 0)
        *ret = list;
    else
        json_decref(list);
    return rc;
}

static int read_known(struct engine *en, const char *app, struct app *ret, struct err *e)
{
    if (engine_need_swarm(en, e) < 0 || fleet__app_read(en, app, ret, e) < 0)
        return -1;
    if (ret->count)
        return 0;
    fleet__app_release(ret);
    return err_set(e, ERR_NOT_FOUND, 0, "there is no app '%.80s'; `maya app list` shows them",
                   app);
}

int fleet_app_history(struct engine *en, const char *app, json_t **ret, struct err *e)
{
    struct app a;

    if (read_known(en, app, &a, e) < 0)
        return -1;
    *ret = json_array();
    for (size_t i = 0; i < a.count; i++) {
        const struct version *v = &a.versions[i];
        json_array_append_new(*ret,
                              json_pack("{s:i, s:s, s:s, s:s, s:s, s:s}", "version", v->number,
                                        "created", v->created, "by", v->by, "commit", v->commit,
                                        "tag", v->tag, "state",
                                        v->service ? fleet__role_text(fleet__role(v->service))
                                                   : fleet__label(v->config, LABEL_STATE)));
    }
    fleet__app_release(&a);
    return 0;
}

/* A version that never served is none to go back to. */
static int remove_all(struct engine *en, const struct app *a, struct err *e)
{
    for (size_t i = 0; i < a->count; i++) {
        const struct version *v = &a->versions[i];
        if (v->service && fleet__role(v->service) == ROLE_NEXT)
            fleet__version_label(en, v, LABEL_STATE,
                                 *fleet__label(v->service, LABEL_WAITS) ? "discarded"
                                                                        : "failed");
    }
    for (size_t i = 0; i < json_array_size(a->services); i++)
        if (fleet__service_remove(en, fleet__name(json_array_get(a->services, i)), e) < 0)
            return -1;
    if (fleet__cert_show(en, a->name, NULL, e) < 0)
        return -1;
    fleet__cert_tidy(en); /* those of its history stay */
    return 0;
}

int fleet_app_stop(struct engine *en, const char *app, struct err *e)
{
    char *cert = NULL;
    struct lock lock;
    struct app a;
    int rc = 0;

    if (read_known(en, app, &a, e) < 0)
        return -1;
    rc = fleet__cert_shown(en, app, &cert, e);
    if (rc == 0 && json_array_size(a.services) == 0 && !cert)
        rc = err_set(e, ERR_NOT_FOUND, 0, "%s is stopped already", app);
    if (rc == 0)
        rc = fleet__lock(en, app, "a stop", &lock, e);
    if (rc == 0) {
        rc = remove_all(en, &a, e);
        fleet__unlock(&lock);
    }
    free(cert);
    fleet__app_release(&a);
    return rc;
}

/* How people come to it. */
struct way_in {
    char *host; /* the first of its names, or NULL */
    bool maya, cert;
};

static void find_way_in(const struct app *a, bool next, struct way_in *ret)
{
    const struct version *v = next ? NULL : fleet__running(a, ROLE_STABLE);
    struct spec *s = NULL;
    char **hosts = NULL;
    struct err e;
    size_t n = 0;

    *ret = (struct way_in){0};
    if (fleet__version_spec(v ? v : &a->versions[0], &s, &e) < 0)
        return;
    ret->maya = spec_is_maya(s);
    ret->cert = *spec_text(s, SPEC_TLS_CERTIFICATE) != '\0';
    hosts = front__hosts(a->name, s, next, &n);
    for (size_t i = 0; i < n; i++) {
        if (!ret->host && hosts[i][0] != '*')
            ret->host = hosts[i];
        else
            free(hosts[i]);
    }
    free(hosts);
    spec_free(&s);
}

static int address(struct engine *en, const char *app, bool next, const char *page, char **ret,
                   struct err *e)
{
    struct front_cfg ports;
    struct way_in way;
    char behind[16] = "";
    struct app a;

    if (read_known(en, app, &a, e) < 0)
        return -1;
    find_way_in(&a, next, &way);
    fleet__app_release(&a);
    int rc = fleet__front_ports(en, &ports, e);
    if (rc == 0) {
        bool tls = ports.https_port && (way.cert || !ports.http_port);
        int port = tls ? ports.https_port : ports.http_port;
        if (port != (tls ? 443 : 80))
            snprintf(behind, sizeof(behind), ":%d", port);
        *ret = xprintf("%s://%s%s%s", tls ? "https" : "http", way.host ? way.host : "127.0.0.1",
                       behind, page && way.maya ? page : "");
    }
    free(way.host);
    return rc;
}

int fleet_app_address(struct engine *en, const char *app, bool next, char **ret, struct err *e)
{
    return address(en, app, next, NULL, ret, e);
}

int fleet_app_dashboard(struct engine *en, const char *app, char **ret, struct err *e)
{
    return address(en, app, false, "/dashboard", ret, e);
}
