/* What a container takes, as the engine tells it at once. */
#include "fleet/fleet.h"
#include "fleet/fleet_int.h"

#include "engine/engine.h"

#include <string.h>

/* Without the page cache that goes when it is needed: as `docker stats` counts (cgroup v2, v1).
 */
static json_int_t in_use(const json_t *memory)
{
    const json_t *stats = json_object_get(memory, "stats");
    const json_t *cache = json_object_get(stats, "total_inactive_file");
    json_int_t usage = json_integer_value(json_object_get(memory, "usage"));

    if (!cache)
        cache = json_object_get(stats, "inactive_file");
    json_int_t idle = json_integer_value(cache);
    return idle < usage ? usage - idle : usage;
}

void fleet_container_measure(struct engine *en, json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *row = json_array_get(list, i), *stats = NULL;
        struct err ignored; /* it may just have ended, or be another node's */
        if (strcmp(fleet__text(row, "state"), "running") != 0 ||
            engine_json(en, "GET", NULL, &stats, &ignored,
                        "/containers/%s/stats?stream=false&one-shot=true",
                        fleet__text(row, "id")) < 0)
            continue;
        const json_t *memory = json_object_get(stats, "memory_stats");
        if (json_is_integer(json_object_get(memory, "usage")))
            json_object_set_new(row, "memory", json_integer(in_use(memory)));
        json_decref(stats);
    }
}
