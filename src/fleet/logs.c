/*
 * The logs of an app's containers, merged. First what was said until now, then, where it is
 * followed, what comes: each container's log is a stream of its own, and the app is looked at
 * every second for containers that are new.
 */
#include "fleet/logs.h"

#include "base/alloc.h"
#include "fleet/fleet.h"
#include "fleet/fleet_int.h"
#include "fleet/logs_int.h"
#include "fleet/version.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NS 1000000000LL
#define LOOK_MS 1000
#define WAIT_MS 100
#define ORDER_MS 200 /* so long a line waits for an older one of another container */

struct hearing {
    struct engine *en;
    const struct fleet_logs *want;
    struct engine_streams *streams;
    struct source *sources;
    size_t count; /* containers that were ever heard */
    char *node;
    int64_t now_ns; /* the engine's clock, when it began */
    int64_t since_ns, until_ns;
    bool follow, over, stopped; /* stopped: no version of the app ran, when it began */
    /* The last lines, when those are asked for: a ring. */
    struct log_line **ring;
    size_t ring_size, ring_count, ring_at;
};

static int64_t clock_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void print(struct hearing *h, struct log_line *line)
{
    const struct fleet_log_line shown = {.container = line->container,
                                         .version = line->version,
                                         .stream = line->stream,
                                         .time_ns = line->time_ns,
                                         .text = line->text,
                                         .len = line->len};

    if (!h->over)
        h->over = !h->want->on_line(h->want->ctx, &shown);
    free(line);
}

static void emit(struct hearing *h, struct log_line *line)
{
    if (!h->ring) {
        print(h, line);
        return;
    }
    if (h->ring_size == 0) {
        free(line);
        return;
    }
    free(h->ring[h->ring_at]);
    h->ring[h->ring_at] = line;
    h->ring_at = (h->ring_at + 1) % h->ring_size;
    if (h->ring_count < h->ring_size)
        h->ring_count++;
}

static void drain_ring(struct hearing *h)
{
    size_t start = h->ring_count < h->ring_size ? 0 : h->ring_at;

    for (size_t i = 0; i < h->ring_count; i++)
        print(h, h->ring[(start + i) % h->ring_size]); /* when all is over: frees it */
    free(h->ring);
    h->ring = NULL;
}

/* "1700000000.000000001" */
static void add_time(struct buf *out, const char *key, int64_t ns)
{
    if (ns > 0)
        buf_printf(out, "&%s=%lld.%09lld", key, (long long)(ns / NS), (long long)(ns % NS));
}

static int begin(struct hearing *h, const char *container, const char *task, bool here,
                 int version, struct err *e)
{
    struct buf path = BUF_INIT;

    /* A container of another node is heard through the Swarm. */
    buf_printf(&path, "/%s/%s/logs?stdout=1&stderr=1&timestamps=1%s",
               here ? "containers" : "tasks", here ? container : task,
               h->follow ? "&follow=1" : "");
    add_time(&path, "since", h->since_ns);
    add_time(&path, "until", h->until_ns);
    if (h->ring && !h->want->grep)
        buf_printf(&path, "&tail=%zu", h->ring_size);
    struct source *s = logs__source_new(container, buf_text(&path), version, h->want->grep);
    buf_release(&path);
    s->next = h->sources;
    h->sources = s;
    h->count++;
    return engine_stream_begin(h->streams, s->path, logs__source_feed, s, &s->stream, e);
}

static bool known(const struct hearing *h, const char *container)
{
    for (const struct source *s = h->sources; s; s = s->next)
        if (strcmp(s->id, container) == 0)
            return true;
    return false;
}

static int tasks_of(struct engine *en, const json_t *services, json_t **ret, struct err *e)
{
    json_t *names = json_array(), *filters = json_pack("{s:o}", "service", names);
    struct buf quoted = BUF_INIT;

    for (size_t i = 0; i < json_array_size(services); i++)
        json_array_append_new(names,
                              json_string(fleet__text(json_array_get(services, i), "ID")));
    char *text = json_dumps(filters, JSON_COMPACT);
    engine_quote(&quoted, text ? text : "{}");
    int rc = engine_json(en, "GET", NULL, ret, e, "/tasks?filters=%s", buf_text(&quoted));
    free(text);
    buf_release(&quoted);
    json_decref(filters);
    return rc;
}

static int version_of(const json_t *services, const char *id)
{
    for (size_t i = 0; i < json_array_size(services); i++)
        if (strcmp(fleet__text(json_array_get(services, i), "ID"), id) == 0)
            return fleet__version(json_array_get(services, i));
    return 0;
}

/* Hear every container of the app that is not heard yet. */
static int look(struct hearing *h, struct err *e)
{
    const char *only = h->want->container;
    json_t *services = NULL, *tasks = NULL;
    int rc = fleet__services(h->en, h->want->app, &services, e);

    if (rc == 0 && json_array_size(services))
        rc = tasks_of(h->en, services, &tasks, e);
    for (size_t i = 0; rc == 0 && i < json_array_size(tasks); i++) {
        const json_t *t = json_array_get(tasks, i);
        const char *id = fleet__text(
            json_object_get(json_object_get(t, "Status"), "ContainerStatus"), "ContainerID");
        if (!*id || known(h, id) || (only && strncmp(id, only, strlen(only)) != 0))
            continue;
        rc = begin(h, id, fleet__text(t, "ID"),
                   h->node && strcmp(fleet__text(t, "NodeID"), h->node) == 0,
                   version_of(services, fleet__text(t, "ServiceID")), e);
    }
    json_decref(tasks);
    json_decref(services);
    return rc;
}

/* What ended, and whether it ended well: a container that is removed meanwhile is no mistake.
 */
static int reap(struct hearing *h, struct err *e)
{
    for (struct source *s = h->sources; s; s = s->next) {
        struct err why = {0};
        int rc = 0;
        if (s->ended || !engine_stream_ended(s->stream, &rc, &why))
            continue;
        logs__source_end(s);
        if (rc < 0 && why.code != ERR_NOT_FOUND && why.code != ERR_USED) {
            *e = why;
            return -1;
        }
    }
    return 0;
}

/* The source whose first line is the oldest; NULL when one of those to come may be older. */
static struct source *oldest(const struct hearing *h, int64_t now)
{
    struct source *best = NULL;
    bool waiting = false;

    for (struct source *s = h->sources; s; s = s->next) {
        if (s->first && (!best || s->first->time_ns < best->first->time_ns))
            best = s;
        waiting |= !s->first && !s->ended;
    }
    if (best && waiting && (!h->follow || now - best->first->came_ms < ORDER_MS))
        return NULL;
    return best;
}

static void merge(struct hearing *h, int64_t now)
{
    struct source *s;

    while (!h->over && (s = oldest(h, now))) {
        emit(h, logs__source_take(s));
        if (s->queued < LOGS_QUEUE_MAX / 2)
            engine_stream_resume(s->stream);
    }
}

static bool all_ended(const struct hearing *h)
{
    for (const struct source *s = h->sources; s; s = s->next)
        if (!s->ended || s->first)
            return false;
    return true;
}

static int listen(struct hearing *h, struct err *e)
{
    int64_t looked = 0;

    while (!h->over) {
        int64_t now = clock_ms();
        if ((!looked || (h->follow && now - looked >= LOOK_MS)) && look(h, e) < 0)
            return -1;
        if (!looked || now - looked >= LOOK_MS)
            looked = now;
        if (!h->follow && all_ended(h))
            return 0;
        for (struct source *s = h->sources; s; s = s->next)
            s->now_ms = now;
        if (engine_streams_wait(h->streams, WAIT_MS, e) < 0 || reap(h, e) < 0)
            return -1;
        merge(h, clock_ms());
        if (h->follow && h->want->alive && !h->want->alive(h->want->ctx))
            return 0;
    }
    return 0;
}

static int hear(struct hearing *h, struct err *e)
{
    int rc = -1;

    h->streams = engine_streams_new(h->en);
    if (!h->streams)
        err_set(e, ERR_NOMEM, 0, "libcurl cannot start");
    else
        rc = listen(h, e);
    h->over |= rc < 0;
    if (h->ring)
        drain_ring(h); /* the lines name their containers */
    engine_streams_free(&h->streams);
    while (h->sources) {
        struct source *s = h->sources;
        h->sources = s->next;
        logs__source_free(s);
    }
    return rc;
}

/* Our node, and the time as the engine has it: its clock is the one in the logs. */
static int begin_all(struct hearing *h, struct err *e)
{
    json_t *info = NULL;
    struct app a;

    if (engine_need_swarm(h->en, e) < 0 || fleet__app_read(h->en, h->want->app, &a, e) < 0)
        return -1;
    h->stopped = json_array_size(a.services) == 0;
    bool there = a.count || !h->stopped;
    fleet__app_release(&a);
    if (!there)
        return err_set(e, ERR_NOT_FOUND, 0,
                       "there is no app '%.80s'; `maya app list` shows them", h->want->app);
    if (engine_json(h->en, "GET", NULL, &info, e, "/info") < 0)
        return -1;
    const char *said = fleet__text(info, "SystemTime");
    h->node = xstrdup(fleet__text(json_object_get(info, "Swarm"), "NodeID"));
    if (!logs__time(said, strlen(said), &h->now_ns))
        h->now_ns = (int64_t)time(NULL) * NS;
    json_decref(info);
    return 0;
}

int fleet_app_logs(struct engine *en, const struct fleet_logs *want, size_t *ret_containers,
                   struct err *e)
{
    struct hearing h = {.en = en, .want = want, .since_ns = want->since_ns};
    int rc = begin_all(&h, e);

    if (rc == 0) {
        h.until_ns = want->follow ? h.now_ns : want->until_ns;
        if (want->tail >= 0) {
            h.ring_size = (size_t)want->tail;
            h.ring = xalloc((h.ring_size + 1) * sizeof(*h.ring));
        }
        rc = hear(&h, e);
    }
    if (rc == 0 && want->container && h.count == 0)
        rc = err_set(e, ERR_NOT_FOUND, 0, "no container of %.60s begins with '%.40s'",
                     want->app, want->container);
    *ret_containers = h.count;
    if (rc == 0 && want->follow && !h.over) {
        if (h.stopped && want->on_none)
            want->on_none(want->ctx);
        h.follow = true;
        h.since_ns = h.now_ns + 1;
        h.until_ns = 0;
        rc = hear(&h, e);
    }
    free(h.ring);
    free(h.node);
    return rc;
}
