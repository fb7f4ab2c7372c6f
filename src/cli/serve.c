/*
 * `maya serve`: the only place where the parts meet. They are made from the bottom up, run on
 * one loop, and are taken down in the opposite order; nothing else knows all of them.
 */
#include "cli/cli.h"

#include "agent/agent.h"
#include "api/api.h"
#include "base/alloc.h"
#include "base/log.h"
#include "cli/cli_int.h"
#include "cli/serve_int.h"
#include "config/config.h"
#include "memory/memory.h"
#include "net/net.h"
#include "ops/ops.h"
#include "seal/seal.h"
#include "session/session.h"
#include "store/store.h"
#include "voice/voice.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define SAMPLE_MS 250
#define MAX_HEAD (16 * 1024)
#define MAX_QUEUED (1024 * 1024)                /* of one reader */
#define LEAST_QUEUED ((size_t)16 * 1024 * 1024) /* of all readers */
#define WRITE_STALL_MS 30000
#define MAX_WAITERS 8 /* messages that may wait for one session */

struct serve {
    struct config *config;
    char agent_folder[PATH_MAX];
    uint64_t limit;    /* bytes of the container, at the start */
    uint64_t sessions; /* what fits */
    struct loop *loop;
    struct loop_wake *store_wake;
    struct loop_timer *sampler, *janitor, *ticker;
    struct loop_watch *notice;
    int notice_fd;
    enum memory_notice_kind notice_kind;
    struct cgroup *cgroup;
    struct seal *seal;
    struct store *store;
    struct session_table *table;
    struct serve_minds minds;
    struct agent *agent;
    struct voice *voice;
    struct ops *ops;
    struct api *api;
    struct http_server *http;
    struct net_tell *tell;
    bool stopping;
};

static void on_store_wake(void *ctx)
{
    struct serve *s = ctx;

    store_reap(s->store);
}

static void on_commit(void *ctx, uint64_t us, unsigned writes)
{
    struct serve *s = ctx;

    if (s->ops)
        ops_count_commit(s->ops, us, writes);
}

static void wake_loop(void *ctx)
{
    loop_wake_up(ctx);
}

static void on_sample(void *ctx)
{
    struct serve *s = ctx;

    ops_sample(s->ops, loop_now(s->loop), loop_unix_s());
    session_tick(s->table, loop_unix_s());
    agent_tick(s->agent);
}

static void on_notice(void *ctx)
{
    struct serve *s = ctx;

    memory_notice_clear(s->notice_fd, s->notice_kind);
    ops_notice(s->ops, loop_now(s->loop), loop_unix_s());
}

/* Where the kernel tells of memory that gets short; elsewhere the sampler has to do. */
static void listen_to_kernel(struct serve *s)
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

static void on_janitor(void *ctx)
{
    struct serve *s = ctx;

    session_cleanup(s->table, loop_unix_s());
}

static void on_tick(void *ctx)
{
    struct serve *s = ctx;

    api_tick(s->api);
}

static int64_t clock_ms(void *ctx)
{
    return loop_now(ctx);
}

static int64_t clock_s(void *ctx)
{
    (void)ctx;
    return loop_unix_s();
}

/* Sessions are secrets: no core file holds them. Many people: many descriptors. */
static void set_limits(void)
{
    struct rlimit files, none = {0, 0};

    setrlimit(RLIMIT_CORE, &none);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    signal(SIGPIPE, SIG_IGN);
}

static void setup_log(const struct config *c)
{
    enum log_level level = LOG_INFO;

    log_level_parse(config_text(c, C_LOG_LEVEL), &level);
    log_setup(level, strcmp(config_text(c, C_LOG_FORMAT), "json") == 0);
}

/* What was set, and from where; everything at debug. `maya config` shows the same. */
static void dump_config(const struct config *c)
{
    struct buf line = BUF_INIT;

    for (int id = 0; id < CONFIG__COUNT; id++) {
        buf_clear(&line);
        config_describe(c, (enum config_id)id, &line);
        if (config_from(c, (enum config_id)id) == CONFIG_DEFAULT)
            log_debug("config", "option", "%s", buf_text(&line));
        else
            log_info("config", "option", "%s", buf_text(&line));
    }
    buf_release(&line);
}

static int check_memory(struct serve *s, struct err *e)
{
    struct memory_sample m;

    s->cgroup = cgroup_new("", (uint64_t)config_int(s->config, C_MEMORY_MB) << 20);
    cgroup_sample(s->cgroup, &m);
    s->limit = m.limit;
    if (cli_plan(s->config, m.limit, m.used, &s->sessions, e) < 0)
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

static void say_key(const struct seal *seal, const char *data_dir)
{
    static const char *const meaning[] = {
        [SEAL_KEY_GIVEN] = "given in MAYA_MASTER_KEY",
        [SEAL_KEY_PASSPHRASE] = "made from the passphrase in MAYA_MASTER_KEY and the salt file",
        [SEAL_KEY_FILE] = "read from the data folder",
        [SEAL_KEY_MADE] = "made now and kept in the data folder",
    };
    enum seal_key_from from = seal_key_from(seal);
    struct seal_key_info key;

    seal_key_info(seal, 0, &key);
    log_info("seal", "key", "id=%s older=%u from=\"%s\"", key.id, seal_key_count(seal) - 1,
             meaning[from]);
    if (from == SEAL_KEY_MADE)
        log_warn("seal", "key_kept",
                 "file=\"%s/master.key\" note=\"whoever has this file and the store can read "
                 "the sessions, and without it nobody can; set MAYA_MASTER_KEY to keep the key "
                 "elsewhere\"",
                 data_dir);
}

/* The sessions are still there, but this start cannot read one of them. With older keys at hand
 * it is not known yet: sealing again will tell. */
static void say_key_lost(const struct serve *s)
{
    struct store_stats stats;

    store_stats(s->store, &stats);
    if (seal_key_from(s->seal) == SEAL_KEY_MADE && seal_key_count(s->seal) == 1 &&
        stats.rows > 0)
        log_warn("seal", "key_lost",
                 "sessions=%llu note=\"these were sealed with another key; stop, and put its "
                 "file or MAYA_MASTER_KEY back to read them again\"",
                 (unsigned long long)stats.rows);
}

static int open_store(struct serve *s, struct err *e)
{
    const char *dir = config_text(s->config, C_DATA_DIR);
    char *path;
    int rc;

    if (mkdir(dir, 0700) < 0 && errno != EEXIST)
        return err_set(e, ERR_IO, errno, "the data folder '%s' cannot be made", dir);
    if (cli_seal(s->config, &s->seal, e) < 0 || seal_hold(s->seal, e) < 0)
        return -1;
    say_key(s->seal, dir);
    path = xprintf("%s/maya.db", dir);
    s->store_wake = loop_wake_new(s->loop, on_store_wake, s);
    struct store_cfg cfg = {.path = path,
                            .wake = wake_loop,
                            .wake_ctx = s->store_wake,
                            .on_commit = on_commit,
                            .commit_ctx = s};
    rc = store_open_sqlite(&cfg, &s->store, e);
    free(path);
    if (rc == 0)
        say_key_lost(s);
    return rc;
}

static int open_sessions(struct serve *s, struct err *e)
{
    const struct config *c = s->config;
    const struct agent_cfg agent_cfg = {
        .folder = s->agent_folder,
        .mind = &s->minds.cfg,
        .session_rate = (uint32_t)config_int(c, C_SESSION_RATE),
        .app_rate = (uint32_t)config_int(c, C_APP_RATE),
        .burst = (uint32_t)config_int(c, C_BURST),
        .seed = seal_random_u64(),
        .now_ms = clock_ms,
        .now_s = clock_s,
        .now_ns = loop_hrtime_ns,
        .clock_ctx = s->loop,
    };
    const struct session_cfg session_cfg = {
        .budget = (size_t)(config_number(c, C_BUDGET_MB) * 1048576.0),
        .max_resident = (uint32_t)s->sessions,
        .max_stored = (uint64_t)config_int(c, C_MAX_SESSIONS),
        .expiry_s = config_int(c, C_EXPIRY_S),
        .hibernate_s = config_int(c, C_HIBERNATE_S),
        .max_waiters = MAX_WAITERS,
        .policy = strcmp(config_text(c, C_POLICY), "measured") == 0 ? SESSION_MEASURED
                                                                    : SESSION_RESERVED,
        .threshold = config_number(c, C_THRESHOLD),
        .state_ops = agent_state_ops(),
        .store = s->store,
        .seal = s->seal,
        .seed = seal_random_u64(),
    };

    serve__minds(&s->minds, c, s->loop);
    if (agent_load(&agent_cfg, &s->agent, e) < 0 ||
        session_table_new(&session_cfg, &s->table, e) < 0)
        return -1;
    agent_set_sessions(s->agent, s->table);
    return 0;
}

/* Speech that its session no longer carries: as much as there is for bodies. */
#define SPEECH_SHARE 32

static int open_voice(struct serve *s, struct err *e)
{
    const char *name = config_text(s->config, C_VOICE_NAME);
    struct voice_cfg cfg = {
        .loop = s->loop,
        .choice = config_text(s->config, C_VOICE),
        .how = *agent_voice(s->agent),
        .own_limit = (size_t)(s->limit / SPEECH_SHARE),
        .now_ns = loop_hrtime_ns,
    };

    for (unsigned i = 0; name && i < VOICE__COUNT; i++)
        cfg.how.name[i] = name;
    if (name)
        cfg.how.name_from = "MAYA_VOICE_NAME";
    if (voice_new(&cfg, &s->voice, e) < 0)
        return -1;
    agent_set_speaker(s->agent, s->voice);
    return 0;
}

static void open_doors(struct serve *s)
{
    const struct config *c = s->config;
    const struct api_cfg api_cfg = {
        .agent = s->agent,
        .sessions = s->table,
        .voice = s->voice,
        .allow_origins = config_text(c, C_ALLOW_ORIGINS),
        .admin_token = config_text(c, C_ADMIN_TOKEN),
        .expiry_s = config_int(c, C_EXPIRY_S),
        .seed = seal_random_u64(),
        .now_s = clock_s,
        .clock_ctx = s->loop,
    };
    struct ops_cfg ops_cfg = {
        .agent = s->agent,
        .sessions = s->table,
        .store = s->store,
        .cgroup = s->cgroup,
        .voice = s->voice,
        .threshold = config_number(c, C_THRESHOLD),
        .agent_folder = s->agent_folder,
        .config_memory = (uint64_t)config_int(c, C_MEMORY_MB) << 20,
        .config_max_containers = (uint64_t)config_int(c, C_MAX_CONTAINERS),
        .started_s = loop_unix_s(),
    };

    ops_cfg.routes = api_route_names(&ops_cfg.route_count);
    s->ops = ops_new(&ops_cfg);
    s->api = api_new(&api_cfg);
    api_set_ops(s->api, s->ops);
    ops_sample(s->ops, loop_now(s->loop), loop_unix_s());
    listen_to_kernel(s);
    s->sampler = loop_every(s->loop, SAMPLE_MS, on_sample, s);
    s->ticker = loop_every(s->loop, API_TICK_MS, on_tick, s);
    s->janitor = loop_every(s->loop, config_int(c, C_CLEANUP_S) * 1000, on_janitor, s);
}

static int64_t ms_of(const struct config *c, enum config_id id)
{
    return (int64_t)(config_number(c, id) * 1000);
}

/*
 * Bodies that are still arriving belong to no session yet, so they get a share of the memory
 * of their own: a 32nd of the limit, and always room for two.
 */
static size_t most_bodies(const struct serve *s)
{
    size_t two = 2 * (size_t)config_int(s->config, C_MAX_BODY);

    return s->limit / 32 > two ? s->limit / 32 : two;
}

/* The same for what waits for readers that are slow. */
static size_t most_queued(const struct serve *s)
{
    return s->limit / 32 > LEAST_QUEUED ? s->limit / 32 : LEAST_QUEUED;
}

static int listen_http(struct serve *s, struct err *e)
{
    const struct config *c = s->config;
    const struct http_cfg cfg = {
        .host = config_text(c, C_HOST),
        .port = (int)config_int(c, C_PORT),
        .inherited_fd = -1,
        .backlog = 1024,
        .max_head = MAX_HEAD,
        .max_body = (size_t)config_int(c, C_MAX_BODY),
        .max_bodies = most_bodies(s),
        .max_conns = (uint32_t)config_int(c, C_MAX_CONNS),
        .max_queued = MAX_QUEUED,
        .max_queued_all = most_queued(s),
        .head_ms = ms_of(c, C_HEAD_TIMEOUT_S),
        .idle_ms = ms_of(c, C_IDLE_TIMEOUT_S),
        .body_ms = ms_of(c, C_BODY_TIMEOUT_S),
        .write_ms = WRITE_STALL_MS,
        .on_request = api_on_request,
        .on_answer = api_on_answer,
        .ctx = s->api,
    };

    if (http_server_new(s->loop, &cfg, &s->http, e) < 0)
        return -1;
    ops_set_http(s->ops, s->http);
    return 0;
}

static int listen_tell(struct serve *s, struct err *e)
{
    const char *host = config_text(s->config, C_HOST);
    int port = (int)config_int(s->config, C_AGENT_CHECK_PORT);

    if (port == 0)
        return 0;
    if (strncmp(host, "unix:", 5) == 0)
        host = "localhost";
    return net_tell_new(s->loop, host, port, ops_tell, s->ops, &s->tell, e);
}

/* The one line that scripts and people wait for. */
static void say_address(const struct serve *s)
{
    const char *host = config_text(s->config, C_HOST);
    bool any = strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;

    if (strncmp(host, "unix:", 5) == 0)
        printf("maya: listening on %s\n", host);
    else
        printf(strchr(any ? "" : host, ':') ? "maya: listening on http://[%s]:%d\n"
                                            : "maya: listening on http://%s:%d\n",
               any ? "127.0.0.1" : host, http_server_port(s->http));
    fflush(stdout);
}

static void on_drained(void *ctx)
{
    struct serve *s = ctx;

    loop_stop(s->loop);
}

static void on_signal(void *ctx, int signum)
{
    struct serve *s = ctx;

    if (s->stopping) {
        log_warn("serve", "stop_now", "signal=%d", signum);
        loop_stop(s->loop);
        return;
    }
    s->stopping = true;
    log_info("serve", "drain", "signal=%d seconds=%.15g", signum,
             config_number(s->config, C_DRAIN_S));
    http_server_drain(s->http, ms_of(s->config, C_DRAIN_S), on_drained, s);
}

static int stop_on(struct serve *s, int signum, struct err *e)
{
    struct sigaction given;

    /* What was ignored when we began (nohup) stays ignored. */
    if (sigaction(signum, NULL, &given) == 0 && given.sa_handler == SIG_IGN)
        return 0;
    return loop_signal(s->loop, signum, on_signal, s, e);
}

static int start(struct serve *s, struct err *e)
{
    log_info("serve", "start", "version=%s pid=%d", MAYA_VERSION, (int)getpid());
    dump_config(s->config);
    if (cli__find_agent(s->config, s->agent_folder, e) < 0 || check_memory(s, e) < 0 ||
        loop_new(&s->loop, e) < 0)
        return -1;
    loop_expect_conns(s->loop, (unsigned)config_int(s->config, C_MAX_CONNS));
    if (open_store(s, e) < 0 || open_sessions(s, e) < 0 || open_voice(s, e) < 0)
        return -1;
    open_doors(s);
    if (listen_http(s, e) < 0 || listen_tell(s, e) < 0 || stop_on(s, SIGTERM, e) < 0 ||
        stop_on(s, SIGINT, e) < 0 || stop_on(s, SIGHUP, e) < 0)
        return -1;
    log_info("serve", "ready", "agent=\"%s\" data=\"%s\"", s->agent_folder,
             config_text(s->config, C_DATA_DIR));
    say_address(s);
    return 0;
}

static void stop(struct serve *s)
{
    net_tell_free(&s->tell);
    if (s->ops)
        ops_set_http(s->ops, NULL);
    if (s->http)
        http_server_free(&s->http);
    loop_timer_free(&s->sampler);
    loop_timer_free(&s->janitor);
    loop_timer_free(&s->ticker);
    loop_watch_free(&s->notice);
    if (s->notice_fd >= 0)
        close(s->notice_fd);
    if (s->store)
        store_close(&s->store); /* commits and answers what is queued; then all sessions idle */
    session_table_free(&s->table);
    if (s->agent)
        agent_set_speaker(s->agent, NULL);
    voice_free(&s->voice);
    agent_free(&s->agent);
    http_client_free(&s->minds.http);
    free(s->minds.vertex_url);
    api_free(&s->api);
    ops_free(&s->ops);
    loop_wake_free(&s->store_wake);
    loop_free(&s->loop);
    if (s->seal)
        seal_free(&s->seal);
    cgroup_free(&s->cgroup);
}

int cmd_serve(int argc, char **argv)
{
    struct serve s = {.config = config_new(), .notice_fd = -1};
    int code = CLI_OK;
    struct err e = {0};

    json_region_setup();
    if (cli_options("serve", s.config, argc, argv, &code)) {
        set_limits();
        setup_log(s.config);
        if (start(&s, &e) < 0)
            code = cli_fail(&e);
        else
            loop_run(s.loop);
        stop(&s);
        log_info("serve", "end", "code=%d", code);
    }
    config_free(&s.config);
    return code;
}
