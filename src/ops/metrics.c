#include "ops/ops_int.h"

#include "base/strs.h"

#include <math.h>
#include <stdio.h>

static void one_label(struct metric_writer *w, const char *name, const char *value, double n)
{
    struct buf labels = BUF_INIT;

    metric_label(&labels, name, value);
    metric_sample(w, metric_labels_text(w, &labels), n);
    buf_release(&labels);
}

static void config_metrics(const struct ops *o, struct metric_writer *w, int64_t now_s)
{
    metric_one(w, M_CONFIG_MEMORY_BYTES, (double)o->cfg.config_memory);
    metric_one(w, M_CONFIG_MAX_CONTAINERS, (double)o->cfg.config_max_containers);
    metric_one(w, M_UPTIME, (double)(now_s > o->cfg.started_s ? now_s - o->cfg.started_s : 0));
    metric_begin(w, M_BUILD_INFO);
    one_label(w, "version", MAYA_VERSION, 1);
    metric_begin(w, M_HEALTHY);
    for (unsigned i = 0; i < OPS_CHECK__COUNT; i++)
        one_label(w, "check", ops__check_label((enum ops_check)i), !o->failed[i]);
}

static void request_metrics(const struct ops *o, struct metric_writer *w)
{
    struct buf labels = BUF_INIT;
    char code[12];

    metric_begin(w, M_HTTP_REQUESTS);
    for (size_t route = 0; route < o->cfg.route_count; route++) {
        if (ops__first_route(o, route) != route)
            continue;
        for (unsigned i = 0; i < OPS_STATUS_MAX; i++) {
            uint64_t n = o->requests[route * OPS_STATUS_MAX + i];
            if (n == 0 && i > 0)
                continue;
            buf_clear(&labels);
            metric_label(&labels, "route", o->cfg.routes[route]);
            snprintf(code, sizeof(code), "%d", o->status[i]);
            metric_label(&labels, "code", i < o->status_count ? code : "other");
            metric_sample(w, metric_labels_text(w, &labels), (double)n);
        }
    }
    buf_release(&labels);
}

static void http_metrics(const struct ops *o, struct metric_writer *w)
{
    struct http_stats s = {0};

    if (o->http)
        http_server_stats(o->http, &s);
    request_metrics(o, w);
    metric_one(w, M_HTTP_CONNECTIONS, s.conns);
    metric_one(w, M_HTTP_STREAMS, s.streams);
    metric_one(w, M_HTTP_SOCKETS, s.sockets);
    metric_one(w, M_HTTP_ACCEPTED, (double)s.accepted);
    metric_one(w, M_HTTP_RESTS, (double)s.rests);
    metric_begin(w, M_HTTP_BAD);
    for (unsigned i = 0; i < HTTP_CLOSE__COUNT; i++)
        one_label(w, "reason", http_close_label((enum http_close)i), (double)s.closed[i]);
    metric_one(w, M_DRAINING, o->http && http_server_draining(o->http));
}

static void process_metrics(const struct ops *o, struct metric_writer *w)
{
    struct process_figures p;

    process__read(&p);
    metric_one(w, M_START_TIME, (double)o->cfg.started_s);
    metric_one(w, M_RSS, p.resident);
    metric_one(w, M_VSIZE, p.virtual);
    metric_one(w, M_OPEN_FDS, p.open_fds);
    metric_one(w, M_MAX_FDS, p.max_fds);
    metric_one(w, M_PROCESS_CPU, p.cpu_seconds);
}

/* The predecessor wrote one decimal of a MiB. */
static void old_metrics(const struct ops *o, struct metric_writer *w)
{
    const struct memory_sample *s = &o->sample;
    uint64_t left = s->limit > s->used ? s->limit - s->used : 0;
    struct knowledge_stats k;

    knowledge_stats(agent_knowledge(o->cfg.agent), &k);
    metric_one(w, M_OLD_CONFIG_MEMORY, (double)(o->cfg.config_memory >> 20));
    if (s->known)
        metric_one(w, M_OLD_MEMORY_AVAILABLE, round((double)left / 104857.6) / 10);
    metric_one(w, M_OLD_RAG_DOCUMENTS, (double)k.documents);
}

void ops_metrics(struct ops *o, int64_t now_s, bool predecessor_names, struct buf *out)
{
    struct metric_writer w;

    metric_writer_init(&w, out);
    config_metrics(o, &w, now_s);
    ops__memory_metrics(o, &w);
    ops__session_metrics(o, &w);
    ops__agent_metrics(o, &w);
    ops__knowledge_metrics(o, &w);
    ops__mind_metrics(o, &w);
    ops__safety_metrics(o, &w);
    ops__voice_metrics(o, &w);
    ops__ears_metrics(o, &w);
    ops__store_metrics(o, &w);
    http_metrics(o, &w);
    process_metrics(o, &w);
    MUST(metric_writer_finish(&w) == METRIC__COUNT);
    if (predecessor_names)
        old_metrics(o, &w);
}
