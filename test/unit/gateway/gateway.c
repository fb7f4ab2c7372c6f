#include "gateway/check.c"
#include "gateway/config.c"
#include "gateway/plan.c"
#include "gateway/weight.c"

#include "unit/tap.h"

static const char *const hosts[] = {"bar.example", "*.bar.example"};

static struct gateway_app app(void)
{
    return (struct gateway_app){.name = "bar",
                                .hosts = hosts,
                                .host_count = 1,
                                .maya = true,
                                .health = "/readyz",
                                .expiry_s = 3600,
                                .turn_s = 300,
                                .wait_s = 60,
                                .slots = 3};
}

static struct gateway_plan plan(const struct gateway_app *a)
{
    return (struct gateway_plan){.runtime = "/run/g.sock",
                                 .bind = "*",
                                 .http_port = 80,
                                 .max_conns = 1000,
                                 .buffer = 16384,
                                 .check_ms = 1000,
                                 .apps = a,
                                 .app_count = 1};
}

/* Whether such a name, in this place, is refused with a line that shows nothing raw. */
static bool refused(const struct gateway_plan *p)
{
    struct err e = {0};

    if (gateway_check(p, &e) == 0)
        return false;
    CHECK_INT(e.code, ERR_CONFIG);
    for (const char *c = e.msg; *c; c++)
        CHECK(*c >= 0x20 && *c < 0x7f);
    return true;
}

/* Every byte that is not of a name, in every name there is. */
static void no_name_says_more(void)
{
    char bad[] = "a?a", path[] = "/a?a";
    const char *const bad_hosts[] = {bad};
    struct gateway_version v = {.name = "v1"};
    struct gateway_server s = {.version = "v1", .address = "10.0.0.1", .port = 1};
    unsigned accepted = 0;

    for (int c = 1; c < 256; c++) {
        struct gateway_app a = app();
        struct gateway_plan p = plan(&a);
        bool harmless = isalnum(c) || strchr("-._", c);
        bool in_path = harmless || strchr("/+=,:@~?&", c);
        const char *const paths[] = {path};

        bad[1] = path[2] = (char)c;
        a.name = bad;
        accepted += !refused(&p);
        if (!harmless)
            CHECK(refused(&p));
        a = app();
        a.hosts = bad_hosts;
        if (!harmless)
            CHECK(refused(&p));
        a = app();
        a.health = path;
        if (!in_path)
            CHECK(refused(&p));
        a = app();
        p.runtime = path;
        if (!in_path)
            CHECK(refused(&p));
        p = plan(&a);
        p.peer = path;
        if (!in_path)
            CHECK(refused(&p));
        p = plan(&a);
        p.certs = paths;
        p.cert_count = 1;
        if (!in_path)
            CHECK(refused(&p));
        p = plan(&a);
        p.bind = bad;
        CHECK(refused(&p));
        p = plan(&a);
        v.name = bad;
        a.versions = &v;
        a.version_count = 1;
        if (!harmless)
            CHECK(refused(&p));
        v.name = "v1";
        s.address = bad;
        a.servers = &s;
        a.server_count = 1;
        CHECK(refused(&p));
        s.address = "10.0.0.1";
        CHECK(!refused(&p));
    }
    CHECK_INT(accepted, 26 + 10 + 1);
}

static void hosts_in_order_of_rank(void)
{
    static const char *const wide[] = {"*.example", "*.bar.example"};
    static const char *const one[] = {"bar.example"};
    struct gateway_app apps[2] = {app(), app()};
    struct gateway_plan p = plan(apps);
    struct buf out = BUF_INIT;

    apps[0].name = "wide";
    apps[0].hosts = wide;
    apps[0].host_count = 2;
    apps[1].hosts = one;
    p.app_count = 2;
    CHECK(!refused(&p));
    gateway_config(&p, &out);
    const char *exact = strstr(buf_text(&out), "-i 'bar.example'");
    const char *narrow = strstr(buf_text(&out), "-i -m end '.bar.example'");
    const char *widest = strstr(buf_text(&out), "-i -m end '.example'");
    CHECK(exact && narrow && widest && exact < narrow && narrow < widest);
    CHECK(strstr(buf_text(&out), "default_backend nowhere") != NULL);
    CHECK(strstr(buf_text(&out), "\n    option http-no-delay\n") != NULL);
    buf_release(&out);
}

static bool says(const struct gateway_app *a, const char *line)
{
    struct gateway_plan p = plan(a);
    struct buf out = BUF_INIT;

    CHECK(!refused(&p));
    gateway_config(&p, &out);
    bool found = strstr(buf_text(&out), line) != NULL;
    buf_release(&out);
    return found;
}

/* Who dies is noticed at once where that is known to be held; who waits, waits one by one. */
static void checks_and_waiting(void)
{
    struct gateway_app a = app();
    struct gateway_plan p = plan(&a);
    struct buf out = BUF_INIT;

    CHECK(says(&a, "http-check send-state\n"));
    CHECK(says(&a, "inter 5ms downinter 100ms fall 1 rise 1 observe layer4"));
    CHECK(says(&a, "timeout server-fin 300s\n"));
    CHECK(!says(&a, "server wait"));
    a.waiting = "/run/w.sock";
    a.wait_s = 60;
    CHECK(says(&a, "timeout queue 60s\n    server wait 'unix@/run/w.sock' backup no-check "
                   "non-stick pool-max-conn 0 maxconn 1\n"));
    a.maya = false;
    CHECK(!says(&a, "send-state"));
    CHECK(
        says(&a, "inter 1000ms fastinter 100ms downinter 100ms fall 3 rise 1 observe layer4"));
    a.wait_s = 0;
    CHECK(refused(&p));
    a.wait_s = 60;
    CHECK(!says(&a, "nbthread"));
    p.threads = 3;
    gateway_config(&p, &out);
    CHECK(strstr(buf_text(&out), "\n    nbthread 3\n"));
    buf_release(&out);
}

/* A name of its own for each, and answers that close. */
static void two_side_by_side(void)
{
    struct gateway_app a = app();
    struct gateway_plan p = plan(&a);
    struct buf out = BUF_INIT;

    CHECK(says(&a, "stats socket 'unix@/run/g.sock' mode 600 "));
    CHECK(!says(&a, "Connection close if"));
    p.instance = "WHO";
    gateway_config(&p, &out);
    CHECK(strstr(buf_text(&out), "stats socket 'unix@/run/g.sock'\".${WHO}\" mode 600 "));
    CHECK(strstr(buf_text(&out), "Connection close if { var(proc.leaving) -m bool } "
                                 "!{ status 101 }\n"));
    buf_release(&out);
}

/* HAProxy takes a server to be up until its first check has failed. */
static void who_is_there_from_the_start(void)
{
    const struct gateway_version v = {.name = "v1", .weight = 100};
    const struct gateway_server s[] = {
        {.version = "v1", .address = "10.0.0.1", .port = 1, .state = GATEWAY_READY},
        {.version = "v1",
         .address = "10.0.0.2",
         .port = 1,
         .state = GATEWAY_READY,
         .down = true},
        {.version = "v1", .address = "10.0.0.3", .port = 1, .state = GATEWAY_MAINT}};
    struct gateway_app a = app();

    a.versions = &v;
    a.version_count = 1;
    a.servers = s;
    a.server_count = ARRAY_LEN(s);
    CHECK(says(&a, "server s1 10.0.0.1:1 weight 256\n"));
    CHECK(says(&a, "server s2 10.0.0.2:1 weight 256 disabled\n"));
    CHECK(says(&a, "server s3 10.0.0.3:1 weight 0 disabled\n"));
}

static void weights(void)
{
    struct gateway_version v[3] = {
        {"v1", 95, GATEWAY_STABLE}, {"v2", 5, GATEWAY_CANARY}, {"v0", 1000, GATEWAY_OLD}};
    struct gateway_server s[5] = {
        {"v1", "10.0.0.1", 1, 0, GATEWAY_READY, false},
        {"v1", "10.0.0.2", 1, 0, GATEWAY_READY, false},
        {"v2", "10.0.0.3", 1, 0, GATEWAY_READY, false},
        {"v0", "10.0.0.4", 1, 0, GATEWAY_READY, false},
        {0},
    };
    struct gateway_app a = app();
    unsigned w[5];

    a.slots = 5;
    a.versions = v;
    a.version_count = 3;
    a.servers = s;
    a.server_count = 5;
    gateway_weights(&a, w);
    CHECK_INT(w[0], 256);
    CHECK_INT(w[1], 256);
    CHECK_INT(w[2], 27); /* 5 of 100: 27 / (2 * 256 + 27) */
    CHECK_INT(w[3], 0);
    CHECK_INT(w[4], 0);
    s[1].state = GATEWAY_DRAIN; /* its share is the other's now */
    gateway_weights(&a, w);
    CHECK_INT(w[0], 256);
    CHECK_INT(w[1], 0);
    CHECK_INT(w[2], 13);
    v[0].weight = 10000;
    v[1].weight = 1; /* so little, but not nothing */
    gateway_weights(&a, w);
    CHECK_INT(w[2], 1);
    v[0].weight = v[1].weight = 0;
    gateway_weights(&a, w);
    for (int i = 0; i < 5; i++)
        CHECK_INT(w[i], 0);
}

static int read_text(const char *json, struct gateway_file **ret, struct err *e)
{
    return gateway_plan_read(json, strlen(json), ret, e);
}

static void plans_in_json(void)
{
    static const char *const wrong[] = {
        "",
        "[]",
        "{\"http_port\":-1}",
        "{\"http_port\":1.5}",
        "{\"http_port\":80,\"http_port\":81}",
        "{\"http_port\":80,\"apps\":{}}",
        "{\"http_port\":80,\"apps\":[1]}",
        "{\"http_port\":80,\"apps\":[{\"name\":\"a\\u0000b\",\"fallback\":true}]}",
        "{\"http_port\":80,\"apps\":[{\"name\":\"a\",\"fallback\":1}]}",
        "{\"http_port\":80,\"apps\":[{\"name\":\"a\",\"hosts\":[1]}]}",
        "{\"http_port\":80,\"apps\":[{\"name\":\"a\",\"fallback\":true,\"versions\":"
        "[{\"name\":\"v1\",\"role\":\"great\"}]}]}",
        "{\"http_port\":80,\"apps\":[{\"name\":\"a\",\"fallback\":true,\"versions\":"
        "[{\"name\":\"v1\"},{\"name\":\"v1\"}]}]}",
    };
    struct gateway_file *f;
    struct err e;

    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        CHECK_INT(read_text(wrong[i], &f, &e), -1);
    CHECK_INT(read_text("{\"http_port\":80,\"apps\":[{\"name\":\"a\",\"fallback\":true,"
                        "\"versions\":[{\"name\":\"v1\",\"weight\":7,\"role\":\"canary\"}],"
                        "\"servers\":[{},{\"version\":\"v1\",\"address\":\"::1\",\"port\":9,"
                        "\"state\":\"drain\"}]}]}",
                        &f, &e),
              0);
    const struct gateway_app *a = gateway_plan_of(f)->apps;
    CHECK_INT(a->versions[0].role, GATEWAY_CANARY);
    CHECK_INT(a->server_count, 2);
    CHECK(!a->servers[0].version);
    CHECK_INT(a->servers[1].state, GATEWAY_DRAIN);
    gateway_plan_free(&f);
    CHECK(!f);
}

static const struct tap_case cases[] = {
    {"no name says more than a name", no_name_says_more},
    {"hosts stand in the order of their rank", hosts_in_order_of_rank},
    {"checks, and who waits", checks_and_waiting},
    {"two side by side", two_side_by_side},
    {"who is there from the start", who_is_there_from_the_start},
    {"weights share what a version has", weights},
    {"plans in JSON", plans_in_json},
};

TAP_MAIN(cases)
