/*
 * `maya serve`: the only place where the parts meet. They are made from the bottom up, run on
 * one loop, and are taken down in the opposite order; nothing else knows all of them.
 */
#include "cli/cli.h"

#include "agent/agent.h"
#include "api/api.h"
#include "base/log.h"
#include "cli/cli_int.h"
#include "cli/reload_int.h"
#include "cli/serve_int.h"
#include "cli/serve_secrets.h"
#include "config/config.h"
#include "memory/memory.h"
#include "net/net.h"
#include "ops/ops.h"
#include "seal/seal.h"
#include "session/session.h"
#include "store/store.h"
#include "voice/voice.h"

#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define SAMPLE_MS 250
#define MAX_WAITERS 8 /* messages that may wait for one session */

int64_t serve__ms(const struct config *c, enum config_id id)
{
    return (int64_t)(config_number(c, id) * 1000);
}

static void on_sample(void *ctx)
{
    struct serve *s = ctx;

    ops_sample(s->ops, loop_now(s->loop), loop_unix_s());
    session_tick(s->table, loop_unix_s());
    agent_tick(s->agent);
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

/* Sessions are secrets: no core file holds them. Many people: many descriptors. Nothing that
 * this process ever starts may become more than it is. */
static void set_limits(void)
{
    struct rlimit files, none = {0, 0};

    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
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

static int open_sessions(struct serve *s, struct err *e)
{
    const struct config *c = s->config;
    const struct agent_cfg agent_cfg = {
        .folder = s->agent_folder,
        .mind = &s->minds.cfg,
        .session_rate = (uint32_t)config_int(c, C_SESSION_RATE),
        .app_rate = (uint32_t)config_int(c, C_APP_RATE),
        .burst = (uint32_t)config_int(c, C_BURST),
        .knowledge_bytes = (size_t)config_int(c, C_KNOWLEDGE_BYTES),
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
    serve__safety(s);
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

    serve__cartesia(&cfg, s->config, s->minds.http);
    if (name)
        cfg.how.name[voice_cartesia_id(name) ? VOICE_CARTESIA : VOICE_ESPEAK] = name;
    if (name)
        cfg.how.name_from = "MAYA_VOICE_NAME";
    if (voice_new(&cfg, &s->voice, e) < 0)
        return -1;
    agent_set_speaker(s->agent, s->voice);
    s->ears = serve__ears(s->config, s->loop, s->minds.http);
    return 0;
}

static struct agent_keys *open_keys(const struct serve *s)
{
    const struct agent_keys_cfg cfg = {
        .http = s->minds.http,
        .url = {[AGENT_KEY_GEMINI] = s->minds.cfg.gemini_url,
                [AGENT_KEY_CARTESIA] = config_text(s->config, C_CARTESIA_URL)},
        .limit_ms = serve__ms(s->config, C_KEY_CHECK_S),
    };

    return agent_keys_new(&cfg);
}

static void open_doors(struct serve *s)
{
    const struct config *c = s->config;
    bool fresh = s->handed.parent >= 0;

    s->keys = open_keys(s);
    const struct api_cfg api_cfg = {
        .agent = s->agent,
        .sessions = s->table,
        .voice = s->voice,
        .ears = s->ears,
        .keys = s->keys,
        .allow_origins = config_text(c, C_ALLOW_ORIGINS),
        .admin_token = config_text(c, C_ADMIN_TOKEN),
        .fresh = fresh,
        .web_folder = fresh && cli__find_web(s->web_folder) ? s->web_folder : NULL,
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
        .ears = s->ears,
        .keys = s->keys,
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
    serve__listen_to_kernel(s);
    s->sampler = loop_every(s->loop, SAMPLE_MS, on_sample, s);
    s->ticker = loop_every(s->loop, API_TICK_MS, on_tick, s);
    s->janitor = loop_every(s->loop, config_int(c, C_CLEANUP_S) * 1000, on_janitor, s);
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
    http_server_drain(s->http, serve__ms(s->config, C_DRAIN_S), on_drained, s);
}

static int stop_on(struct serve *s, int signum, struct err *e)
{
    struct sigaction given;

    /* What was ignored when we began (nohup) stays ignored. */
    if (sigaction(signum, NULL, &given) == 0 && given.sa_handler == SIG_IGN)
        return 0;
    return loop_signal(s->loop, signum, on_signal, s, e);
}

static int watch_secrets(struct serve *s, struct err *e)
{
    s->secrets = (struct serve_secrets){.config = s->config,
                                        .loop = s->loop,
                                        .seal = s->seal,
                                        .agent = s->agent,
                                        .api = s->api,
                                        .voice = s->voice,
                                        .ears = s->ears,
                                        .mind = &s->minds.cfg};
    return serve__secrets_begin(&s->secrets, e);
}

static int start(struct serve *s, struct err *e)
{
    log_info("serve", "start", "version=%s pid=%d", MAYA_VERSION, (int)getpid());
    dump_config(s->config);
    if (cli__find_agent(s->config, s->agent_folder, e) < 0 || serve__memory(s, e) < 0 ||
        loop_new(&s->loop, e) < 0)
        return -1;
    loop_expect_conns(s->loop, (unsigned)config_int(s->config, C_MAX_CONNS));
    loop_expect_jobs(s->loop);
    if (serve__store(s, e) < 0 || open_sessions(s, e) < 0 || open_voice(s, e) < 0)
        return -1;
    open_doors(s);
    if (watch_secrets(s, e) < 0)
        return -1;
    if (!reload__wait(&s->handed))
        return err_set(e, ERR_STOPPED, 0, "the parent that watches the files has ended");
    if (serve__http(s, e) < 0 || serve__tell(s, e) < 0 || stop_on(s, SIGTERM, e) < 0 ||
        stop_on(s, SIGINT, e) < 0 || stop_on(s, SIGHUP, e) < 0)
        return -1;
    log_info("serve", "ready", "agent=\"%s\" data=\"%s\"", s->agent_folder,
             config_text(s->config, C_DATA_DIR));
    if (s->handed.parent >= 0)
        reload__say(&s->handed, RELOAD_LISTENING);
    else
        serve__say_address(config_text(s->config, C_HOST), http_server_port(s->http));
    return 0;
}

static void stop(struct serve *s)
{
    net_tell_free(&s->tell);
    serve__secrets_end(&s->secrets);
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
    ears_free(&s->ears);
    agent_free(&s->agent);
    agent_keys_free(&s->keys);
    http_client_free(&s->minds.http);
    free(s->minds.vertex_url);
    api_free(&s->api);
    ops_free(&s->ops);
    loop_wake_free(&s->store_wake);
    loop_free(&s->loop);
    serve__secrets_release(&s->secrets);
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
    reload__handed(&s.handed);
    if (cli_options("serve", s.config, argc, argv, &code)) {
        set_limits();
        setup_log(s.config);
        if (config_bool(s.config, C_RELOAD) && s.handed.parent < 0) {
            code = reload__run(s.config, s.handed.listener, argc, argv);
            config_free(&s.config);
            return code;
        }
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
