/* Names of apps: what is let through, the gateway takes. */
#include "fleet/hosts.c"

#include "gateway/gateway.h"
#include "unit/tap.h"

static struct spec *app(const char *name, const char *hosts)
{
    char text[240];
    struct spec *s = NULL;
    struct err e;

    snprintf(text, sizeof(text), "name: %s\nimage: {ready: web}\n%s%s%s", name,
             *hosts ? "hostnames: [" : "", hosts, *hosts ? "]\n" : "");
    return spec_parse("deploy.yaml", text, strlen(text), NULL, &s, &e) < 0 ? NULL : s;
}

/* What the keeper makes of them: each app, and the second one of each. */
static bool gateway_takes(const struct spec *const specs[4])
{
    static const struct gateway_version version = {"v1", 100, GATEWAY_STABLE};
    struct gateway_app apps[4];
    struct gateway_plan plan = {.runtime = "/run/s",
                                .bind = "*",
                                .http_port = 80,
                                .max_conns = 100,
                                .buffer = 65536,
                                .check_ms = 1000,
                                .apps = apps,
                                .app_count = 4};
    char **hosts[4], *names[4];
    struct err e;
    bool taken = false;

    for (int i = 0; i < 4; i++) {
        bool next = i & 1;
        const char *name = spec_text(specs[i], SPEC_NAME);
        bool none = spec_list(specs[i], SPEC_HOSTNAMES).count == 0;
        names[i] = front__name(name, next ? FRONT_NEXT : "");
        apps[i] = (struct gateway_app){.name = names[i],
                                       .fallback = !next && none && !taken,
                                       .health = spec_text(specs[i], SPEC_READY_PATH),
                                       .expiry_s = 1,
                                       .turn_s = 1,
                                       .slots = 1,
                                       .versions = &version,
                                       .version_count = 1};
        taken |= apps[i].fallback;
        hosts[i] = front__hosts(name, specs[i], next, &apps[i].host_count);
        apps[i].hosts = (const char *const *)hosts[i];
    }
    bool takes = gateway_check(&plan, &e) == 0;
    if (!takes)
        printf("# %s\n", e.msg);
    for (int i = 0; i < 4; i++) {
        free_hosts(hosts[i], apps[i].host_count);
        free(names[i]);
    }
    return takes;
}

static const char *const some[] = {"",
                                   "a.x",
                                   "next.a.x",
                                   "next.next.a.x",
                                   "'*.a.x'",
                                   "next.web.localhost",
                                   "next.shop.localhost",
                                   "web.localhost",
                                   "a.x, next.a.x",
                                   "a.x, a.x",
                                   "a.x, next.next.a.x",
                                   "'*.a.x', next.web.localhost"};

/* `now` beside the version that serves, and beside another app. */
static void test_what_passes_is_taken(void)
{
    int passed = 0, refused = 0;
    struct err e;

    for (size_t i = 0; i < ARRAY_LEN(some) * ARRAY_LEN(some) * ARRAY_LEN(some); i++) {
        struct spec *before = app("web", some[i % ARRAY_LEN(some)]);
        struct spec *now = app("web", some[i / ARRAY_LEN(some) % ARRAY_LEN(some)]);
        struct spec *other = app("shop", some[i / ARRAY_LEN(some) / ARRAY_LEN(some)]);
        const struct spec *const during[] = {before, now, other, other};
        const struct spec *const after[] = {now, now, other, other};
        if (before && now && other &&
            fleet__hosts_compare(before, "shop", other, &e) == 0) { /* as it was before */
            if (fleet__hosts_compare(now, "shop", other, &e) < 0 ||
                fleet__hosts_compare_own(now, before, &e) < 0)
                refused++;
            else if (gateway_takes(during) && gateway_takes(after))
                passed++;
            else
                CHECK_STR(some[i % ARRAY_LEN(some)], "one that the gateway takes");
        }
        spec_free(&before);
        spec_free(&now);
        spec_free(&other);
    }
    CHECK(passed > 200);
    CHECK(refused > 200);
}

static const char *refused(const char *ours, const char *theirs)
{
    static struct err e;
    struct spec *s = app("web", ours), *other = app("shop", theirs);

    e = (struct err){0};
    CHECK_INT(fleet__hosts_compare(s, "shop", other, &e), -1);
    spec_free(&s);
    spec_free(&other);
    return e.msg;
}

static void test_sentences(void)
{
    CHECK_STR(refused("a.x", "b.x, a.x"),
              "'a.x' is a name of the app shop already; give web another one under "
              "`hostnames`");
    CHECK_STR(refused("next.a.x", "a.x"),
              "'next.a.x' is where a new version of the app shop is tried; give web another "
              "one under `hostnames`");
    CHECK_STR(refused("a.x", "next.a.x"),
              "'next.a.x' is a name of the app shop already, and a new version of web would be "
              "tried there; give it another one under `hostnames`");
    CHECK_STR(
        refused("", "next.web.localhost"),
        "'next.web.localhost' is a name of the app shop already, and a new version of web "
        "would be tried there; give it another one under `hostnames`");
    CHECK(strstr(refused("", ""), "the app shop has every name"));
}

/* Apps that differ are two to the gateway. */
static void test_names_for_the_gateway(void)
{
    static const char *const apps[] = {
        "web",
        "Web",
        "web.1",
        "web-1",
        "web_1",
        "web-next",
        "webnext",
        "Web-next",
        "web-next-next",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    };
    char *all[2 * ARRAY_LEN(apps)];

    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        all[i] = front__name(apps[i / 2], i & 1 ? FRONT_NEXT : "");
        CHECK(strlen(all[i]) <= 48);
        for (size_t k = 0; k < i; k++)
            CHECK(strcmp(all[i], all[k]) != 0);
    }
    CHECK_STR(all[0], "web");
    CHECK_STR(all[1], "web-next");
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        free(all[i]);
}

static const struct tap_case cases[] = {
    {"what is let through, the gateway takes", test_what_passes_is_taken},
    {"what is not, is told with what would be right", test_sentences},
    {"apps have names of their own in the gateway", test_names_for_the_gateway},
};
TAP_MAIN(cases)
