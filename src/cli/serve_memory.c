/* How much memory there is, how many sessions fit in it, and who tells when it gets short. */
#include "cli/serve_int.h"

#include "base/log.h"
#include "cli/cli.h"
#include "config/config.h"
#include "memory/memory.h"
#include "ops/ops.h"

int serve__memory(struct serve *s, struct err *e)
{
    struct memory_sample m;

    s->cgroup = cgroup_new("", (uint64_t)config_int(s->config, C_MEMORY_MB) << 20);
    cgroup_sample(s->cgroup, &m);
    s->limit = m.limit;
    /* The one whose place this one takes is counted in what is used, and will be gone. */
    uint64_t used = s->handed.parent >= 0 ? cli_footprint() : m.used;
    if (cli_plan(s->config, m.limit, used, &s->sessions, e) < 0)
        return -1;
    log_info("memory", "limit", "bytes=%llu from=%s used=%llu sessions=%llu budget=%llu",
             (unsigned long long)m.limit, memory_source_text(m.limit_from),
             (unsigned long long)m.used, (unsigned long long)s->sessions,
             (unsigned long long)(config_number(s->config, C_BUDGET_MB) * 1048576.0));
    if (s->sessions < (uint64_t)config_int(s->config, C_SESSIONS))
        log_warn("memory", "fewer_sessions",
                 "sessions=%llu wanted=%lld note=\"that many default budgets fit; set "
                 "MAYA_DEFAULT_SESSION_MEMORY_MB lower for more\"",
                 (unsigned long long)s->sessions, (long long)config_int(s->config, C_SESSIONS));
    return 0;
}

static void on_notice(void *ctx)
{
    struct serve *s = ctx;

    memory_notice_clear(s->notice_fd, s->notice_kind);
    ops_notice(s->ops, loop_now(s->loop), loop_unix_s());
}

void serve__listen_to_kernel(struct serve *s)
{
    struct pressure ladder;
    uint64_t edges[PRESSURE__COUNT];
    size_t n = 0;

    pressure_init(&ladder, config_number(s->config, C_THRESHOLD));
    for (int r = PRESSURE_SHED; r < PRESSURE__COUNT; r++)
        edges[n++] = pressure_edge(&ladder, (enum pressure_rung)r, s->limit);
    s->notice_fd = memory_notice_open(s->cgroup, edges, n, &s->notice_kind);
    if (s->notice_fd < 0) {
        log_debug("memory", "notices", "from=none");
        return;
    }
    s->notice = loop_watch_new(s->loop, s->notice_fd, s->notice_kind == MEMORY_NOTICE_PSI,
                               on_notice, s);
    log_info("memory", "notices", "from=%s", memory_notice_text(s->notice_kind));
}
