/* The plan that the keeper makes of all apps. */
#include "fleet/keeper_front.c"

#include "base/log.h"
#include "unit/tap.h"

static void add(struct plan *p, const char *name, const char *host)
{
    const char **hosts = xalloc(sizeof(*hosts));

    hosts[0] = xstrdup(host);
    p->apps = xrealloc(p->apps, (p->plan.app_count + 1) * sizeof(*p->apps));
    p->apps[p->plan.app_count++] = (struct gateway_app){.name = xstrdup(name),
                                                        .hosts = hosts,
                                                        .host_count = 1,
                                                        .health = "/",
                                                        .expiry_s = 3600,
                                                        .turn_s = 300,
                                                        .wait_s = 60,
                                                        .slots = 8};
    p->plan.apps = p->apps;
}

static void begin_plan(struct plan *p)
{
    *p = (struct plan){.plan = {.runtime = "/run/g.sock",
                                .bind = "*",
                                .http_port = 80,
                                .max_conns = 1000,
                                .buffer = 65536,
                                .check_ms = 1000}};
}

static void what_fits_stays(void)
{
    struct front f = {.folder = "/run"};
    struct plan p;

    begin_plan(&p);
    add(&p, "one", "one.test");
    add(&p, "two", "two.test");
    leave_out(&f, &p);
    CHECK_INT(p.plan.app_count, 2);
    CHECK_STR(f.left_out, "");
    release_plan(&p);
}

/* The others are served all the same. */
static void who_has_anothers_name_is_left_out(void)
{
    struct front f = {.folder = "/run"};
    struct plan p;
    struct err e;

    begin_plan(&p);
    add(&p, "one", "one.test");
    add(&p, "thief", "one.test");
    add(&p, "three", "three.test");
    CHECK(gateway_check(&p.plan, &e) < 0);
    leave_out(&f, &p);
    CHECK_INT(p.plan.app_count, 2);
    CHECK_STR(p.plan.apps[0].name, "one");
    CHECK_STR(p.plan.apps[1].name, "three");
    CHECK_STR(f.left_out, "thief");
    CHECK_INT(gateway_check(&p.plan, &e), 0);
    release_plan(&p);
}

static const struct tap_case cases[] = {
    {"what fits stays", what_fits_stays},
    {"who has another's name is left out", who_has_anothers_name_is_left_out},
};

int main(void)
{
    log_setup(LOG_ERROR, false);
    return tap_run(cases, (int)ARRAY_LEN(cases));
}
