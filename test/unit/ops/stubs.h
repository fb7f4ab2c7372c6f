/*
 * stubs: the parts that ops asks, as plain figures a test sets. Defined here, so that the
 * archives' own are not linked; memory and metric are the real ones, on a fake tree.
 */
#pragma once

#include "base/log.h"
#include "ops/ops_int.h"
#include "safety/safety_int.h"
#include "unit/memory/fake_tree.h"
#include "unit/tap.h"

static struct session_stats stub_sessions;
static struct agent_stats stub_agent;
static struct store_stats stub_store;
static struct http_stats stub_http;
static struct knowledge_stats stub_knowledge;
static bool stub_draining;
static struct {
    unsigned calls;
    struct memory_sample sample;
    uint64_t footprint;
    bool refuse;
} stub_told;
static struct {
    unsigned shed, hibernated, urgent;
    void (*on_freed)(size_t bytes);
} stub_did;
static char stub_log[4096];

void session_stats(const struct session_table *t, struct session_stats *ret)
{
    (void)t;
    *ret = stub_sessions;
}

static unsigned stub_room = 100;

unsigned session_room(const struct session_table *t)
{
    (void)t;
    return stub_room;
}

void session_table_memory(struct session_table *t, const struct memory_sample *sample,
                          uint64_t footprint, bool refuse)
{
    (void)t;
    stub_told.calls++;
    stub_told.sample = *sample;
    stub_told.footprint = footprint;
    stub_told.refuse = refuse;
}

/* Every session is cold and as large as it is asked for, while there is something used. */
size_t session_hibernate(struct session_table *t, int64_t now_s, size_t bytes, bool urgent)
{
    size_t freed = bytes < stub_sessions.used ? bytes : stub_sessions.used;

    (void)t;
    (void)now_s;
    stub_did.hibernated++;
    stub_did.urgent += urgent;
    stub_sessions.used -= freed;
    if (freed && stub_did.on_freed)
        stub_did.on_freed(freed);
    return freed;
}

void session_shed(struct session_table *t)
{
    (void)t;
    stub_did.shed++;
}

void store_shed(struct store *s)
{
    (void)s;
    stub_did.shed++;
}

const char *session_reject_text(enum session_reject r)
{
    static const char *const text[] = {"session_limit", "memory_pressure",
                                       "insufficient_memory"};

    return text[r];
}

const struct agent_stats *agent_stats(const struct agent *a)
{
    (void)a;
    return &stub_agent;
}

void agent_mind_stats(const struct agent *a, struct mind_provider_stats *ret)
{
    (void)a;
    for (int i = 0; i < MIND__COUNT; i++) {
        ret[i] = (struct mind_provider_stats){.answers = 1};
        histogram_init(&ret[i].first_word_seconds, histogram_seconds, histogram_seconds_count);
    }
}

struct safety *agent_safety(const struct agent *a)
{
    static struct safety nothing_found;

    (void)a;
    return &nothing_found;
}

const struct knowledge *agent_knowledge(const struct agent *a)
{
    (void)a;
    return NULL;
}

void knowledge_stats(const struct knowledge *k, struct knowledge_stats *ret)
{
    (void)k;
    *ret = stub_knowledge;
}

const char *knowledge_outcome_label(enum knowledge_outcome o)
{
    static const char *const text[KNOWLEDGE_OUTCOME__COUNT] = {"found", "nothing", "failed"};

    return text[o];
}

const char *turn_outcome_text(enum turn_outcome o)
{
    static const char *const text[TURN_OUTCOME__COUNT] = {
        "completed", "replayed", "stopped", "rejected", "limited", "over_budget", "failed"};

    return text[o];
}

const struct bar_tool *bar_tools(size_t *ret_count)
{
    static const struct bar_tool tools[] = {{"add_to_order", "", "", true},
                                            {"get_bill", "", "", false}};

    *ret_count = 2;
    return tools;
}

void store_stats(const struct store *s, struct store_stats *ret)
{
    (void)s;
    *ret = stub_store;
}

void http_server_stats(const struct http_server *s, struct http_stats *ret)
{
    (void)s;
    *ret = stub_http;
}

bool http_server_draining(const struct http_server *s)
{
    (void)s;
    return stub_draining;
}

const char *http_close_label(enum http_close c)
{
    static const char *const labels[] = {
#define HTTP_CLOSE(name, label, text) label,
#include "net/close.def"
#undef HTTP_CLOSE
    };

    return labels[c];
}

static const struct http_server *const stub_server = (const void *)&stub_http;

static void stub_sink(const char *line)
{
    size_t n = strlen(stub_log);

    snprintf(stub_log + n, sizeof(stub_log) - n, "%s\n", line);
}

static inline int stub_logged(const char *word)
{
    int n = 0;

    for (const char *at = stub_log; (at = strstr(at, word)); at++)
        n++;
    return n;
}

/* `anon` bytes in use of 1,000,000. */
static void stub_memory(unsigned anon)
{
    char text[64];

    snprintf(text, sizeof(text), "anon %u\nfile 999999\nshmem 0\nkernel 0\n", anon);
    tree_file("/sys/fs/cgroup/a/memory.stat", text);
}

/* A fake machine with a cgroup of 1,000,000 bytes, 100,000 of them used. */
static struct ops *stub_begin(void)
{
    static const char *const routes[] = {"/healthz", "/api/v1/chat", "/both", "/both", "other"};

    stub_sessions = (struct session_stats){.max_resident = 50};
    stub_agent = (struct agent_stats){0};
    histogram_init(&stub_agent.turn_seconds, histogram_seconds, histogram_seconds_count);
    histogram_init(&stub_agent.first_word_seconds, histogram_seconds, histogram_seconds_count);
    histogram_init(&stub_agent.search_seconds, histogram_seconds, histogram_seconds_count);
    histogram_init(&stub_agent.session_bytes, histogram_bytes, histogram_bytes_count);
    stub_store = (struct store_stats){.healthy = true};
    stub_http = (struct http_stats){0};
    stub_knowledge = (struct knowledge_stats){0};
    stub_draining = false;
    memset(&stub_told, 0, sizeof(stub_told));
    memset(&stub_did, 0, sizeof(stub_did));
    stub_log[0] = '\0';
    log_sink(stub_sink);
    tree_begin();
    tree_file("/proc/meminfo", "MemTotal: 8388608 kB\n");
    tree_file("/proc/self/cgroup", "0::/a\n");
    tree_file("/proc/self/mountinfo", "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
    tree_file("/sys/fs/cgroup/a/memory.max", "1000000\n");
    tree_file("/sys/fs/cgroup/a/cpu.stat", "usage_usec 2500000\n");
    tree_file("/agent/agent.yaml", "name: Maya\n");
    stub_memory(100000);

    static char folder[300];
    snprintf(folder, sizeof(folder), "%s/agent", tree);
    struct ops_cfg cfg = {
        .cgroup = cgroup_new(tree, 0),
        .threshold = 0.8,
        .agent_folder = folder,
        .routes = routes,
        .route_count = ARRAY_LEN(routes),
        .config_memory = (uint64_t)4096 << 20,
        .config_max_containers = 5,
        .started_s = 1708714000,
    };
    struct ops *o = ops_new(&cfg);
    ops_set_http(o, stub_server);
    return o;
}

static void stub_end(struct ops *o)
{
    struct cgroup *cg = o->cfg.cgroup;

    ops_free(&o);
    cgroup_free(&cg);
    tree_end();
    log_sink(NULL);
}
