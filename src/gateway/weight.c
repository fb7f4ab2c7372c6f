#include "gateway/gateway_int.h"

#include <string.h>

const char *gateway_state_text(enum gateway_state s)
{
    static const char *const texts[GATEWAY_STATE__COUNT] = {"maint", "ready", "drain"};

    return s < GATEWAY_STATE__COUNT ? texts[s] : "unknown";
}

static bool in_use(const struct gateway_server *s)
{
    return s->version && s->state == GATEWAY_READY;
}

/* How much one of the version's servers gets: its share, split among those in use. */
static double part_of(const struct gateway_app *a, const struct gateway_server *s)
{
    double share = 0;
    size_t servers = 0;

    for (size_t i = 0; i < a->version_count; i++)
        if (strcmp(a->versions[i].name, s->version) == 0 && a->versions[i].role != GATEWAY_OLD)
            share = a->versions[i].weight;
    for (size_t i = 0; i < a->server_count; i++)
        servers += in_use(&a->servers[i]) && strcmp(a->servers[i].version, s->version) == 0;
    return servers ? share / (double)servers : 0;
}

void gateway_weights(const struct gateway_app *a, unsigned *ret)
{
    double most = 0;

    for (size_t i = 0; i < a->server_count; i++) {
        double part = in_use(&a->servers[i]) ? part_of(a, &a->servers[i]) : 0;
        most = part > most ? part : most;
    }
    for (size_t i = 0; i < a->server_count; i++) {
        double part = in_use(&a->servers[i]) ? part_of(a, &a->servers[i]) : 0;
        /* The largest as large as can be, for the sake of the small ones' shares. */
        ret[i] = part > 0 ? (unsigned)(part * GATEWAY_WEIGHT_MAX / most + 0.5) : 0;
        if (part > 0 && ret[i] == 0)
            ret[i] = 1;
    }
}
