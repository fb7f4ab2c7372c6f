#include "ops/ops_int.h"

#include <math.h>

static void sample(struct metric_writer *w, struct buf *labels, double value)
{
    metric_sample(w, metric_labels_text(w, labels), value);
    buf_clear(labels);
}

static double ratio(double part, double whole)
{
    return whole > 0 ? part / whole : 0;
}

static void rung_metrics(const struct ops *o, struct metric_writer *w)
{
    struct buf labels = BUF_INIT;

    metric_one(w, M_MEMORY_RUNG, o->pressure.rung);
    metric_begin(w, M_MEMORY_RUNG_CLIMBED);
    for (unsigned i = PRESSURE_SHED; i < PRESSURE__COUNT; i++) {
        metric_label(&labels, "rung", pressure_label((enum pressure_rung)i));
        sample(w, &labels, (double)o->pressure.climbed[i]);
    }
    buf_release(&labels);
}

static void part_metrics(const struct ops *o, struct metric_writer *w)
{
    struct buf labels = BUF_INIT;
    uint64_t parts[OPS_PART__COUNT];

    ops__parts(o, parts);
    metric_begin(w, M_PROCESS_MEMORY);
    for (unsigned i = 0; i < OPS_PART__COUNT; i++) {
        metric_label(&labels, "part", ops__part_label((enum ops_part)i));
        sample(w, &labels, (double)parts[i]);
    }
    buf_release(&labels);
}

/* What could not be read is not a number, rather than a wrong one. */
void ops__memory_metrics(struct ops *o, struct metric_writer *w)
{
    const struct memory_sample *s = &o->sample;
    double used = s->known ? (double)s->used : NAN, limit = (double)s->limit;
    double left = s->limit > s->used ? (double)(s->limit - s->used) : 0;

    metric_one(w, M_MEMORY_USAGE, used);
    metric_one(w, M_MEMORY_LIMIT, s->limit ? limit : INFINITY);
    metric_one(w, M_MEMORY_UTILIZATION, s->known ? ratio(used, limit) : NAN);
    metric_one(w, M_MEMORY_AVAILABLE, s->known ? left : NAN);
    metric_one(w, M_MEMORY_PRESSURE, o->pressure.rung >= PRESSURE_REFUSE);
    metric_one(w, M_MEMORY_PRESSURE_TIMES, (double)o->pressure.times);
    metric_one(w, M_MEMORY_OOM_KILLS, (double)s->oom_kills);
    rung_metrics(o, w);
    metric_one(w, M_MEMORY_NOTICES, (double)o->notices);
    metric_one(w, M_MEMORY_TRIMS, (double)o->trims);
    metric_one(w, M_MEMORY_RETURNED, (double)o->returned);
    part_metrics(o, w);
    metric_one(w, M_CPU_SECONDS, (double)cgroup_cpu_us(o->cfg.cgroup) / 1e6);
}

void ops__session_metrics(struct ops *o, struct metric_writer *w)
{
    struct buf labels = BUF_INIT;
    struct session_stats s;

    session_stats(o->cfg.sessions, &s);
    metric_one(w, M_ACTIVE_SESSIONS, s.resident);
    metric_one(w, M_MAX_SESSIONS, s.max_resident);
    metric_one(w, M_SESSION_UTILIZATION, ratio(s.resident, s.max_resident));
    metric_one(w, M_SESSIONS_CREATED, (double)s.created);
    metric_begin(w, M_SESSIONS_REJECTED);
    for (unsigned i = 0; i < SESSION_REJECT__COUNT; i++) {
        metric_label(&labels, "reason", session_reject_text((enum session_reject)i));
        sample(w, &labels, (double)s.rejected[i]);
    }
    metric_one(w, M_SESSIONS_EXPIRED, (double)s.expired);
    metric_begin(w, M_SESSIONS_HIBERNATED);
    metric_sample(w, "reason=\"idle\"", (double)s.ended[SESSION_END_IDLE]);
    metric_sample(w, "reason=\"room\"", (double)s.ended[SESSION_END_ROOM]);
    metric_sample(w, "reason=\"pressure\"", (double)s.ended[SESSION_END_PRESSURE]);
    metric_sample(w, "reason=\"hand\"", (double)s.ended[SESSION_END_HAND]);
    metric_one(w, M_SESSIONS_REMOVED, (double)s.ended[SESSION_END_REMOVED]);
    metric_one(w, M_SESSIONS_WOKEN, (double)s.woken);
    metric_one(w, M_SESSIONS_UNREADABLE, (double)s.unreadable);
    metric_one(w, M_SESSION_USED, (double)s.used);
    metric_one(w, M_SESSION_RESERVED, (double)s.reserved);
    metric_one(w, M_SESSION_BUDGET, (double)s.budget);
    metric_one(w, M_SESSION_OVER_BUDGET, (double)s.over_budget);
    buf_release(&labels);
}

static void tool_metrics(const struct agent_stats *s, struct metric_writer *w)
{
    struct buf labels = BUF_INIT;
    size_t count;
    const struct bar_tool *tools = bar_tools(&count);

    metric_begin(w, M_TOOL_CALLS);
    for (size_t i = 0; i < count && i < ARRAY_LEN(s->tool_ok); i++) {
        metric_label(&labels, "tool", tools[i].name);
        metric_label(&labels, "outcome", "ok");
        sample(w, &labels, (double)s->tool_ok[i]);
        metric_label(&labels, "tool", tools[i].name);
        metric_label(&labels, "outcome", "error");
        sample(w, &labels, (double)s->tool_error[i]);
    }
    buf_release(&labels);
}

void ops__agent_metrics(struct ops *o, struct metric_writer *w)
{
    const struct agent_stats *s = agent_stats(o->cfg.agent);
    struct buf labels = BUF_INIT;

    metric_begin(w, M_TURNS);
    for (unsigned i = 0; i < TURN_OUTCOME__COUNT; i++) {
        metric_label(&labels, "outcome", turn_outcome_text((enum turn_outcome)i));
        sample(w, &labels, (double)s->turns[i]);
    }
    metric_one(w, M_TURNS_NOW, s->turns_now);
    metric_begin(w, M_SESSIONS_FOLDED);
    metric_label(&labels, "by", "rule");
    sample(w, &labels, (double)s->folded_by_rule);
    metric_label(&labels, "by", "mind");
    sample(w, &labels, (double)s->folded_by_mind);
    metric_begin(w, M_TURN_SECONDS);
    metric_sample_histogram(w, "", &s->turn_seconds);
    metric_begin(w, M_FIRST_WORD_SECONDS);
    metric_sample_histogram(w, "", &s->first_word_seconds);
    metric_begin(w, M_SESSION_BYTES);
    metric_sample_histogram(w, "", &s->session_bytes);
    tool_metrics(s, w);
    buf_release(&labels);
}

void ops__store_metrics(struct ops *o, struct metric_writer *w)
{
    struct buf labels = BUF_INIT;
    struct session_stats sessions;
    struct store_stats s;

    store_stats(o->cfg.store, &s);
    metric_one(w, M_STORED_SESSIONS, (double)s.rows);
    metric_begin(w, M_STORE_COMMIT_SECONDS);
    metric_sample_histogram(w, "", &o->commit_seconds);
    metric_begin(w, M_STORE_WRITES);
    metric_label(&labels, "kind", "put");
    sample(w, &labels, (double)s.puts);
    metric_label(&labels, "kind", "replace");
    sample(w, &labels, (double)s.replaces);
    metric_label(&labels, "kind", "delete");
    sample(w, &labels, (double)s.deletes);
    metric_one(w, M_STORE_READS, (double)s.gets);
    metric_one(w, M_STORE_FAILURES, (double)s.failures);
    metric_one(w, M_STORE_CONFLICTS, (double)s.conflicts);
    metric_one(w, M_STORE_QUEUED, (double)s.queued);
    metric_one(w, M_STORE_BYTES, (double)s.bytes_written);
    session_stats(o->cfg.sessions, &sessions);
    metric_one(w, M_SEAL_PENDING, (double)sessions.reseal_pending);
    metric_one(w, M_SEAL_UNREADABLE, (double)sessions.reseal_unreadable);
    metric_one(w, M_SEAL_REWRITTEN, (double)sessions.resealed);
    buf_release(&labels);
}
