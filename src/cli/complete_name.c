/* Names for the shells' completion that no table has: what the engine knows. */
#include "cli/verb.h"

#include "cli/cli_int.h"
#include "engine/engine.h"
#include "fleet/fleet.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define WAIT_S 3 /* at a terminal nobody waits longer for a Tab */
#define SHORT_ID 12

static int get_containers(struct engine *en, json_t **ret, struct err *e)
{
    return fleet_container_list(en, NULL, ret, e);
}

static const struct named {
    const char *command, *key, *what;
    int (*get)(struct engine *en, json_t **ret, struct err *e);
} named[] = {
    {"app", "name", "state", fleet_app_list},
    {"secret", "name", NULL, fleet_secret_list},
    {"volume", "name", NULL, fleet_volume_list},
    {"container", "id", "app", get_containers},
};

/* Whoever makes a thing gives it a name that is not there yet. */
static const struct named *named_by(const struct cli_verb *v)
{
    for (size_t i = 0; i < ARRAY_LEN(named); i++)
        if (strcmp(named[i].command, v->command) == 0 && strcmp(v->verb, "create") != 0)
            return &named[i];
    return NULL;
}

void cli__names(const struct cli_verb *v, const char *engine,
                void (*on_name)(void *ctx, const char *name, const char *what), void *ctx)
{
    struct cli_args a = {.flag = {[CLI_FLAG_ENGINE] = engine}};
    const struct named *n = named_by(v);
    struct engine *en = NULL;
    json_t *list = NULL;
    struct err e; /* nobody is told: the line being typed is no place for it */

    if (!n)
        return;
    signal(SIGALRM, SIG_DFL);
    alarm(WAIT_S);
    if (cli__engine(&a, &en, &e) == 0 && n->get(en, &list, &e) == 0)
        for (size_t i = 0; i < json_array_size(list); i++) {
            const json_t *row = json_array_get(list, i);
            const char *name = cli__row_text(row, n->key),
                       *what = n->what ? cli__row_text(row, n->what) : NULL;
            char text[80];
            snprintf(text, sizeof(text), "%.*s", strcmp(n->key, "id") == 0 ? SHORT_ID : 79,
                     name ? name : "");
            if (*text)
                on_name(ctx, text, what ? what : "");
        }
    alarm(0);
    json_decref(list);
    engine_close(&en);
}
