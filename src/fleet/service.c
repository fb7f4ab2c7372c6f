/* What a version's containers are told: the body of its service (Docker Engine API,
 * ServiceSpec). */
#include "fleet/service.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/strs.h"
#include "engine/engine.h"
#include "fleet/fleet.h"
#include "fleet/fleet_int.h"
#include "fleet/rotated.h"
#include "image/image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NS 1000000000LL
#define PIDS_MAX 512
#define TMP_BYTES (64LL << 20)
#define RESTART_NS (1 * NS)

static void add_variable(void *ctx, const char *name, const char *value)
{
    json_array_append_new(ctx, json_sprintf("%s=%s", name, value));
}

static json_t *environment(const struct spec *s)
{
    json_t *env = json_array();

    spec_environment(s, add_variable, env);
    if (spec_is_maya(s)) {
        char port[16];
        snprintf(port, sizeof(port), "%d", FLEET_AGENT_PORT);
        add_variable(env, "MAYA_AGENT_CHECK_PORT", port);
        add_variable(env, "MAYA_LOG_FORMAT", "json");
        rotated__environment(env);
    }
    return env;
}

/* One that is not there comes with the version, and is known by the app's name. */
static json_t *mounts(const struct service_cfg *c)
{
    const struct image_list volumes = spec_list(c->spec, SPEC_VOLUMES);
    json_t *list = json_array();

    for (size_t i = 0; i < volumes.count; i++)
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:{s:{s:s, s:s}}}", "Type",
                                              "volume", "Source", volumes.at[i].key, "Target",
                                              volumes.at[i].value, "VolumeOptions", "Labels",
                                              LABEL_VOLUME, "1", LABEL_APP, c->app));
    /* Everything else is read-only. */
    json_array_append_new(list, json_pack("{s:s, s:s, s:{s:I, s:i}}", "Type", "tmpfs", "Target",
                                          "/tmp", "TmpfsOptions", "SizeBytes",
                                          (json_int_t)TMP_BYTES, "Mode", 01777));
    return list;
}

static json_t *secrets(const json_t *found)
{
    json_t *list = json_array();

    for (size_t i = 0; i < json_array_size(found); i++) {
        const json_t *s = json_array_get(found, i);
        /* Whoever runs in the container may read it, and nobody else is in there. */
        json_array_append_new(list, json_pack("{s:s, s:s, s:{s:s, s:s, s:s, s:i}}", "SecretID",
                                              fleet__text(s, "id"), "SecretName",
                                              fleet__text(s, "swarm_name"), "File", "Name",
                                              fleet__text(s, "name"), "UID", "0", "GID", "0",
                                              "Mode", 0444));
    }
    return list;
}

static json_t *words(const struct spec *s)
{
    const struct image_list command = spec_list(s, SPEC_COMMAND);
    json_t *list = json_array();

    for (size_t i = 0; i < command.count; i++)
        json_array_append_new(list, json_string(command.at[i].key));
    return list;
}

static json_t *container(const struct service_cfg *c)
{
    const struct spec *s = c->spec;
    /* Engines before API 1.44 know nothing of privileges that are not to be gained, and pass
     * over it. */
    json_t *body =
        json_pack("{s:s, s:o, s:s, s:b, s:o, s:o, s:I, s:s, s:[s], s:{s:b}}", "Image", c->image,
                  "Env", environment(s), "User", spec_text(s, SPEC_USER), "ReadOnly", 1,
                  "Mounts", mounts(c), "Secrets", secrets(c->secrets), "StopGracePeriod",
                  (json_int_t)spec_stop_grace_s(s) * NS, "StopSignal", "SIGTERM",
                  "CapabilityDrop", "ALL", "Privileges", "NoNewPrivileges", 1);
    json_t *command = words(s);

    MUST(body);
    if (json_array_size(command))
        json_object_set(body, "Command", command); /* in place of the entrypoint */
    json_decref(command);
    if (spec_is_maya(s)) {
        const struct image_health health = {.interval_s = spec_int(s, SPEC_HEALTH_INTERVAL),
                                            .timeout_s = spec_int(s, SPEC_HEALTH_TIMEOUT),
                                            .retries = (int)spec_int(s, SPEC_HEALTH_RETRIES),
                                            .watch = c->watch};
        json_object_set_new(body, "Healthcheck", image_health(&health));
    }
    return body;
}

static json_t *resources(const struct spec *s)
{
    json_int_t memory = (json_int_t)spec_int(s, SPEC_MEMORY) << 20;
    json_int_t cpu = (json_int_t)(spec_number(s, SPEC_CPU) * 1e9);
    json_t *limits = json_pack("{s:I, s:i}", "MemoryBytes", memory, "Pids", PIDS_MAX);

    if (cpu)
        json_object_set_new(limits, "NanoCPUs", json_integer(cpu));
    return json_pack("{s:o, s:{s:I}}", "Limits", limits, "Reservations", "MemoryBytes", memory);
}

/* A port of the node that the engine chooses: the tasks say which. */
static json_t *ports(const struct spec *s)
{
    json_t *list = json_array();
    int inside[] = {(int)spec_int(s, SPEC_PORT), FLEET_AGENT_PORT};
    size_t n = spec_is_maya(s) ? 2 : 1;

    for (size_t i = 0; i < n; i++)
        json_array_append_new(list,
                              json_pack("{s:s, s:i, s:i, s:s}", "Protocol", "tcp", "TargetPort",
                                        inside[i], "PublishedPort", 0, "PublishMode", "host"));
    return list;
}

json_t *fleet__service_body(const struct service_cfg *c)
{
    char *name = fleet__object(c->app, c->number);
    char number[16], weight[16];

    snprintf(number, sizeof(number), "%d", c->number);
    snprintf(weight, sizeof(weight), "%d", c->weight);
    json_t *body = json_pack(
        "{s:s, s:{s:s, s:s, s:s, s:s}, s:{s:o, s:o, s:{s:s, s:I}}, s:{s:{s:i}}, s:{s:s, s:o}}",
        "Name", name, "Labels", LABEL_APP, c->app, LABEL_VERSION, number, LABEL_ROLE,
        fleet__role_text(c->role), LABEL_WEIGHT, weight, "TaskTemplate", "ContainerSpec",
        container(c), "Resources", resources(c->spec), "RestartPolicy", "Condition", "any",
        "Delay", (json_int_t)RESTART_NS, "Mode", "Replicated", "Replicas", c->replicas,
        "EndpointSpec", "Mode", "vip", "Ports", ports(c->spec));
    MUST(body);
    free(name);
    return body;
}

/* A label in the "vip" mode is harmless: nobody comes by the address that it would give. */

int fleet__secrets_find(struct engine *en, const struct spec *s, json_t **ret, struct err *e)
{
    const struct image_list names = spec_list(s, SPEC_SECRETS);
    json_t *all = NULL, *found = json_array();
    int rc = 0;

    if (names.count && fleet_secret_list(en, &all, e) < 0)
        rc = -1;
    for (size_t i = 0; rc == 0 && i < names.count; i++) {
        const json_t *hit = NULL;
        for (size_t k = 0; k < json_array_size(all) && !hit; k++)
            if (strcmp(fleet__text(json_array_get(all, k), "name"), names.at[i].key) == 0)
                hit = json_array_get(all, k);
        if (!hit)
            rc = err_set(e, ERR_CONFIG, 0,
                         "there is no secret '%.60s'; `maya secret create %.60s KEY=VALUE` "
                         "makes one",
                         names.at[i].key, names.at[i].key);
        else
            json_array_append_new(found, json_pack("{s:s, s:s, s:s}", "name", names.at[i].key,
                                                   "id", fleet__text(hit, "id"), "swarm_name",
                                                   fleet__text(hit, "swarm_name")));
    }
    json_decref(all);
    if (rc == 0)
        *ret = found;
    else
        json_decref(found);
    return rc;
}
