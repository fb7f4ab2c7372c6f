/* Whether the engine is a Swarm, and making it one. */
#include "engine/engine.h"

#include "base/strs.h"

#include <string.h>

int engine_swarm(struct engine *en, enum engine_swarm *ret, struct err *e)
{
    static const struct {
        const char *word;
        enum engine_swarm is;
    } states[] = {
        {"active", ENGINE_SWARM_WORKER},
        {"locked", ENGINE_SWARM_LOCKED},
        {"error", ENGINE_SWARM_BROKEN},
        {"pending", ENGINE_SWARM_BROKEN},
    };
    json_t *info = NULL;

    if (engine_json(en, "GET", NULL, &info, e, "/info") < 0)
        return -1;
    const json_t *swarm = json_object_get(info, "Swarm");
    const char *word = json_string_value(json_object_get(swarm, "LocalNodeState"));
    *ret = ENGINE_SWARM_NONE;
    for (size_t i = 0; word && i < ARRAY_LEN(states); i++)
        if (strcmp(states[i].word, word) == 0)
            *ret = states[i].is;
    if (*ret == ENGINE_SWARM_WORKER && json_is_true(json_object_get(swarm, "ControlAvailable")))
        *ret = ENGINE_SWARM_MANAGER;
    json_decref(info);
    return 0;
}

/* Another engine of this machine may have the usual one. */
#define PORT_FIRST 2377
#define PORTS 16

int engine_swarm_init(struct engine *en, struct err *e)
{
    int rc = -1;

    for (int i = 0; rc < 0 && i < PORTS; i++) {
        json_t *body =
            json_pack("{s:o, s:s}", "ListenAddr", json_sprintf("127.0.0.1:%d", PORT_FIRST + i),
                      "AdvertiseAddr", "127.0.0.1");
        rc = engine_json(en, "POST", body, NULL, e, "/swarm/init");
        json_decref(body);
        if (rc < 0 && !strstr(e->msg, "address already in use"))
            break;
    }
    return rc;
}

int engine_need_swarm(struct engine *en, struct err *e)
{
    enum engine_swarm is;

    if (engine_is_podman(en))
        return err_set(
            e, ERR_CONFIG, 0,
            "Podman answers at %s; it runs containers but keeps no services, secrets "
            "and configs, which Maya's apps are made of. Point DOCKER_HOST at a "
            "Docker Engine",
            engine_shown(en));
    if (engine_swarm(en, &is, e) < 0)
        return -1;
    switch (is) {
    case ENGINE_SWARM_MANAGER:
        return 0;
    case ENGINE_SWARM_NONE:
        return err_set(
            e, ERR_CONFIG, 0,
            "the engine at %s is not a Swarm yet, and Maya keeps apps and secrets in "
            "one; `maya deploy` makes it one when asked, or `docker swarm init`",
            engine_shown(en));
    case ENGINE_SWARM_WORKER:
        return err_set(
            e, ERR_CONFIG, 0,
            "the engine at %s is a worker of its Swarm; set DOCKER_HOST to a manager",
            engine_shown(en));
    case ENGINE_SWARM_LOCKED:
        return err_set(e, ERR_CONFIG, 0,
                       "the Swarm of %s is locked; `docker swarm unlock` opens it",
                       engine_shown(en));
    case ENGINE_SWARM_BROKEN:
        break;
    }
    return err_set(e, ERR_IO, 0, "the Swarm of %s is out of order; `docker info` tells more",
                   engine_shown(en));
}
