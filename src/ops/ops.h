/*
 * ops: how the container is. Health, readiness and metrics as texts, and the sampler that
 * reads the container's memory and tells pressure and admission. Holds borrowed pointers to
 * the parts it asks; knows no route and answers no socket (api/ does). Times are arguments.
 */
#pragma once

#include "base/buf.h"
#include "base/must.h"
#include "net/net.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct agent;
struct agent_keys;
struct cgroup;
struct ears;
struct ops;
struct session_table;
struct store;
struct voice;

struct ops_cfg {
    struct agent *agent;
    struct session_table *sessions;
    struct store *store;
    struct cgroup *cgroup;
    struct voice *voice;       /* NULL: nobody speaks */
    struct ears *ears;         /* NULL: nobody hears */
    struct agent_keys *keys;   /* NULL: nobody checks keys */
    double threshold;          /* of pressure */
    const char *agent_folder;  /* must stay readable for the container to be healthy */
    const char *const *routes; /* label values of maya_http_requests_total, by index */
    size_t route_count;
    uint64_t config_memory; /* MODAL_MEMORY_MB in bytes */
    uint64_t config_max_containers;
    int64_t started_s; /* unix time */
};

struct ops *ops_new(const struct ops_cfg *cfg) MUST_USE;
void ops_free(struct ops **o);
void ops_set_http(struct ops *o, const struct http_server *http); /* NULL: not serving */

/*
 * Read the container's memory, do what the rung of the ladder asks for (memory/rung.def), a
 * bounded piece of it, look again, climb up or down (logged, with the numbers), tell the
 * session table, and run the checks of health (check.def). About four times a second; before
 * the first call the container is healthy.
 */
void ops_sample(struct ops *o, int64_t now_ms, int64_t now_s);
/* The kernel says that memory is getting short: sample now, unless that was just done. */
void ops_notice(struct ops *o, int64_t now_ms, int64_t now_s);

/* {"status":"healthy","checks":[],"timestamp":"2024-02-23T18:55:00Z"}; returns 200 or 503. */
int ops_health(struct ops *o, int64_t now_s, struct buf *json);
/* {"status":"ready"} 200, {"status":"draining"} 503. */
int ops_ready(struct ops *o, struct buf *json);
/* tell.c: a net_tell_fn, ctx is the struct ops: the answer to HAProxy's agent check. */
void ops_tell(void *ctx, struct str asked, char ret[TELL_LINE_MAX]);
/* Prometheus text. `predecessor_names` adds the three names that promtool objects to. */
void ops_metrics(struct ops *o, int64_t now_s, bool predecessor_names, struct buf *out);

/* A route beyond route_count counts as the last one. */
void ops_count_request(struct ops *o, size_t route, int status);
void ops_count_interruption(struct ops *o); /* somebody spoke while Maya did */
/* For struct store_cfg's on_commit; ctx is the struct ops. */
void ops_count_commit(void *ctx, uint64_t us, unsigned writes);
