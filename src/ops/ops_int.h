/*
 * What the files of ops/ share among themselves.
 */
#pragma once

#include "agent/agent.h"
#include "bar/bar.h"
#include "knowledge/knowledge.h"
#include "memory/memory.h"
#include "metric/metric.h"
#include "mind/mind.h"
#include "net/net.h"
#include "ops/ops.h"
#include "session/session.h"
#include "store/store.h"

enum ops_check {
#define OPS_CHECK(name, function, label, text) OPS_CHECK_##name,
#include "ops/check.def"
#undef OPS_CHECK
    OPS_CHECK__COUNT
};

enum ops_part {
#define PART(name, label) OPS_PART_##name,
#include "ops/part.def"
#undef PART
    OPS_PART__COUNT
};

/* Status codes that were answered, in order of their first time; the last place is "other". */
#define OPS_STATUS_MAX 32

struct ops {
    struct ops_cfg cfg;
    const struct http_server *http;
    struct memory_sample sample;
    struct pressure pressure;
    int64_t trim_after_ms, shed_after_ms;
    uint64_t trims, returned;      /* how often, and bytes that the kernel got back */
    uint64_t sessions_used, freed; /* at the last look; given back by sessions since a trim */
    uint64_t notices;              /* of the kernel */
    uint64_t interruptions;        /* of replies */
    int64_t sampled_ms;
    bool failed[OPS_CHECK__COUNT];
    struct histogram commit_seconds;
    int status[OPS_STATUS_MAX];
    unsigned status_count;
    uint64_t *requests; /* route_count rows of OPS_STATUS_MAX */
};

/* ops.c: the first of the neighbours that share this route's label; they are one series. */
size_t ops__first_route(const struct ops *o, size_t route);

/* health.c: run the checks, and log those that changed. */
void ops__check(struct ops *o);
const char *ops__check_label(enum ops_check c);

/* relief.c: what the rung we are on asks for; true when the sample is worth taking again. */
bool ops__relieve(struct ops *o, int64_t now_ms, int64_t now_s);

/* parts.c */
const char *ops__part_label(enum ops_part p);
void ops__parts(const struct ops *o, uint64_t ret[OPS_PART__COUNT]);

/* process.c: what the kernel tells of our own process; 0 where it does not. */
struct process_figures {
    double resident, virtual, open_fds, max_fds, cpu_seconds;
};
void process__read(struct process_figures *ret);
uint64_t process__own_bytes(void); /* resident pages that are ours alone (no file's) */

/* metrics_parts.c: the families of each part */
void ops__memory_metrics(struct ops *o, struct metric_writer *w);
void ops__session_metrics(struct ops *o, struct metric_writer *w);
void ops__agent_metrics(struct ops *o, struct metric_writer *w);
void ops__knowledge_metrics(struct ops *o, struct metric_writer *w); /* metrics_knowledge.c */
void ops__mind_metrics(struct ops *o, struct metric_writer *w);      /* metrics_minds.c */
void ops__safety_metrics(struct ops *o, struct metric_writer *w);    /* metrics_safety.c */
void ops__store_metrics(struct ops *o, struct metric_writer *w);
void ops__voice_metrics(struct ops *o, struct metric_writer *w); /* metrics_voice.c */
void ops__ears_metrics(struct ops *o, struct metric_writer *w);  /* metrics_ears.c */
