/* What the containers of a service said, all that the engine kept of it. */
#include "fleet/service.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "engine/engine.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TAIL "100" /* lines */

static void on_bytes(void *ctx, int stream, const char *data, size_t len)
{
    (void)stream;
    buf_add(ctx, data, len);
}

static bool on_data(void *ctx, const char *data, size_t len)
{
    engine_frames_feed(ctx, data, len);
    return true;
}

int fleet__said(struct engine *en, const char *name, struct buf *out, struct err *e)
{
    struct engine_frames frames = {.on_bytes = on_bytes, .ctx = out};
    char *path = xprintf("/services/%s/logs?stdout=1&stderr=1&tail=" TAIL, name);
    struct engine_call call = {.method = "GET",
                               .path = path,
                               .on_data = on_data,
                               .data_ctx = &frames,
                               .silence_s = ENGINE_SILENCE_S};
    int rc = engine_do(en, &call, e);

    engine_call_release(&call);
    free(path);
    return rc;
}

/* Lines for programs tell too much; "maya: " is said by whoever passes it on. */
static bool for_people(const char *line)
{
    return isgraph((unsigned char)*line) && *line != '{';
}

/* What a container's health check said last, if it was bad; of another node's nothing is known.
 */
static void bad_health(struct engine *en, const char *id, char *ret, size_t size)
{
    json_t *container = NULL;
    struct err ignored;

    if (!*id ||
        engine_json(en, "GET", NULL, &container, &ignored, "/containers/%s/json", id) < 0)
        return;
    const json_t *log =
        json_object_get(json_object_get(json_object_get(container, "State"), "Health"), "Log");
    const json_t *last = json_array_get(log, json_array_size(log) - 1);
    const char *words = fleet__text(last, "Output");
    if (json_integer_value(json_object_get(last, "ExitCode")) != 0)
        snprintf(ret, size, "%s", strncmp(words, "maya: ", 6) == 0 ? words + 6 : words);
    json_decref(container);
}

static void health_words(struct engine *en, const char *name, char *ret, size_t size)
{
    const char *const filter[] = {"service", name, NULL};
    json_t *tasks = NULL;
    struct err ignored;

    if (engine_list(en, "/tasks", filter, &tasks, &ignored) < 0)
        return;
    for (size_t i = 0; i < json_array_size(tasks) && !*ret; i++) {
        const json_t *status = json_object_get(json_array_get(tasks, i), "Status");
        bad_health(en, fleet__text(json_object_get(status, "ContainerStatus"), "ContainerID"),
                   ret, size);
    }
    json_decref(tasks);
}

static void log_words(struct engine *en, const char *name, char *ret, size_t size)
{
    struct buf text = BUF_INIT;
    struct err ignored;
    char *left;

    if (fleet__said(en, name, &text, &ignored) == 0 && *buf_text(&text))
        for (char *line = strtok_r(text.data, "\n", &left); line;
             line = strtok_r(NULL, "\n", &left))
            if (for_people(line))
                snprintf(ret, size, "%s", strncmp(line, "maya: ", 6) == 0 ? line + 6 : line);
    buf_release(&text);
}

void fleet__last_words(struct engine *en, const char *name, char *ret, size_t size)
{
    size_t n;

    ret[0] = '\0';
    health_words(en, name, ret, size);
    if (!*ret)
        log_words(en, name, ret, size);
    for (char *c = ret; *c; c++)
        if (iscntrl((unsigned char)*c))
            *c = ' ';
    for (n = strlen(ret); n && ret[n - 1] == ' '; n--)
        ret[n - 1] = '\0';
}
