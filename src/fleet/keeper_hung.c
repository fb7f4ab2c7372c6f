/* Containers that hang: since when they are down, and what they answer meanwhile. */
#include "fleet/keeper_hung.h"

#include "base/alloc.h"
#include "base/curl.h"
#include "base/log.h"
#include "base/strs.h"
#include "engine/engine.h"

#include <stdlib.h>
#include <string.h>

#define LEAST_MS 10000 /* that it is down before it is killed: a short rush is over by then */
#define STEPS 3        /* connecting, asking and reading are a step each */
#define STEP_MS 20

/* A container that was ready once. */
struct patient {
    char task[32], app[SPEC_NAME_MAX + 1];
    int64_t down_ms; /* since then; 0: it is up */
    int64_t next_ms, killed_ms, limit_ms;
    unsigned bad; /* answers in a row */
    long status;  /* of the last one; 0: none came */
    CURL *asked;  /* NULL: no answer is awaited */
    bool here;    /* the Swarm has it */
};

struct hung {
    CURLM *multi; /* NULL: libcurl is not there, and nobody can be asked */
    struct patient *at;
    size_t count;
};

struct hung *hung__new(void)
{
    struct hung *h = xalloc(sizeof(*h));
    struct err e;

    if (curl_load(&e) == 0)
        h->multi = curl_lib.multi_init();
    else
        log_warn("keeper", "hung", "why=\"%s\"", e.msg);
    return h;
}

static void hang_up(struct hung *h, struct patient *p)
{
    if (!p->asked)
        return;
    curl_lib.multi_remove_handle(h->multi, p->asked);
    curl_lib.easy_cleanup(p->asked);
    p->asked = NULL;
}

void hung__free(struct hung **ref)
{
    struct hung *h = *ref;

    if (!h)
        return;
    for (size_t i = 0; i < h->count; i++)
        hang_up(h, &h->at[i]);
    if (h->multi)
        curl_lib.multi_cleanup(h->multi);
    free(h->at);
    free(h);
    *ref = NULL;
}

static struct patient *patient_of(const struct hung *h, const char *task)
{
    for (size_t i = 0; i < h->count; i++)
        if (strcmp(h->at[i].task, task) == 0)
            return &h->at[i];
    return NULL;
}

static struct patient *admit(struct hung *h, const char *app, const char *task)
{
    h->at = xrealloc(h->at, (h->count + 1) * sizeof(*h->at));
    struct patient *p = &h->at[h->count++];
    *p = (struct patient){0};
    str_copy(p->task, sizeof(p->task), task);
    str_copy(p->app, sizeof(p->app), app);
    return p;
}

/* Asking */

/* What stands in the answer is nothing to us: its status has come by then. */
/* NOLINTNEXTLINE(readability-non-const-parameter): libcurl's own type */
static size_t on_bytes(char *data, size_t size, size_t n, void *self)
{
    (void)data;
    (void)self;
    return size * n + 1; /* ends it */
}

static void ask(struct hung *h, struct patient *p, const struct seen_task *t,
                const struct spec *s)
{
    bool six = strchr(t->address, ':') != NULL;

    p->asked = curl_lib.easy_init();
    if (!p->asked)
        return;
    char *url = xprintf("http://%s%s%s:%u%s", six ? "[" : "", t->address, six ? "]" : "",
                        t->port, spec_text(s, SPEC_HEALTH_PATH));
    curl_lib.easy_setopt(p->asked, CURLOPT_URL, url);
    curl_lib.easy_setopt(p->asked, CURLOPT_PROXY, "");
    curl_lib.easy_setopt(p->asked, CURLOPT_PROTOCOLS_STR, "http");
    curl_lib.easy_setopt(p->asked, CURLOPT_NOSIGNAL, 1L);
    curl_lib.easy_setopt(p->asked, CURLOPT_USERAGENT, "maya/" MAYA_VERSION);
    curl_lib.easy_setopt(p->asked, CURLOPT_TIMEOUT_MS,
                         (long)spec_int(s, SPEC_HEALTH_TIMEOUT) * 1000);
    curl_lib.easy_setopt(p->asked, CURLOPT_WRITEFUNCTION, on_bytes);
    free(url); /* libcurl has a copy */
    curl_lib.multi_add_handle(h->multi, p->asked);
}

static void on_answer(struct hung *h, CURL *easy)
{
    for (size_t i = 0; i < h->count; i++) {
        struct patient *p = &h->at[i];
        if (p->asked != easy)
            continue;
        p->status = 0;
        curl_lib.easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &p->status);
        p->bad = p->status == 0 || p->status >= 500 ? p->bad + 1 : 0;
        hang_up(h, p);
        return;
    }
}

static void take_answers(struct hung *h)
{
    int running = 1, left;
    CURLMsg *m;

    for (int i = 0; i < STEPS && running; i++) {
        if (curl_lib.multi_perform(h->multi, &running) != CURLM_OK)
            return;
        if (running)
            curl_lib.multi_poll(h->multi, NULL, 0, STEP_MS, NULL);
    }
    while ((m = curl_lib.multi_info_read(h->multi, &left)))
        if (m->msg == CURLMSG_DONE)
            on_answer(h, m->easy_handle);
}

/* Deciding */

/* Another one of the app was killed and is not gone, or a moment ago only. */
static bool one_is_replaced(const struct hung *h, const char *app, int64_t now_ms)
{
    for (size_t i = 0; i < h->count; i++) {
        const struct patient *p = &h->at[i];
        if (p->killed_ms && strcmp(p->app, app) == 0 &&
            (p->here || now_ms - p->killed_ms < p->limit_ms))
            return true;
    }
    return false;
}

static bool is_due(const struct hung *h, const struct patient *p, int64_t retries,
                   int64_t now_ms)
{
    return p->bad >= retries && now_ms - p->down_ms >= p->limit_ms &&
           !one_is_replaced(h, p->app, now_ms);
}

static void replace(struct engine *en, struct patient *p, const struct seen_task *t,
                    int64_t now_ms)
{
    struct err e;

    log_warn("keeper", "hung",
             "app=%s version=%d container=%.12s down_s=%lld bad=%u status=%ld", p->app,
             t->version, t->container, (long long)(now_ms - p->down_ms) / 1000, p->bad,
             p->status);
    if (engine_json(en, "POST", NULL, NULL, &e, "/containers/%s/kill", t->container) == 0) {
        p->killed_ms = now_ms;
        return;
    }
    /* It has ended meanwhile, or runs on a node that this engine does not speak for. */
    log_warn("keeper", "hung_stays", "app=%s container=%.12s why=\"%s\"", p->app, t->container,
             e.msg);
    p->down_ms = 0;
}

static void see_down(struct hung *h, struct engine *en, struct patient *p,
                     const struct seen_task *t, const struct spec *s, int64_t now_ms)
{
    int64_t interval_ms = spec_int(s, SPEC_HEALTH_INTERVAL) * 1000;
    int64_t retries = spec_int(s, SPEC_HEALTH_RETRIES);

    if (!p->down_ms) {
        p->down_ms = p->next_ms = now_ms;
        p->bad = 0;
    }
    p->limit_ms = interval_ms * retries > LEAST_MS ? interval_ms * retries : LEAST_MS;
    if (!p->asked && now_ms >= p->next_ms) {
        ask(h, p, t, s);
        p->next_ms = now_ms + interval_ms;
    }
    if (is_due(h, p, retries, now_ms))
        replace(en, p, t, now_ms);
}

static void see_task(struct hung *h, struct engine *en, const struct front *f,
                     struct seen_app *a, const struct seen_task *t, int64_t now_ms)
{
    const struct seen_version *v = keeper__version(a, t->version);
    const struct spec *s =
        v && v->role == ROLE_CANARY && a->canary_spec ? a->canary_spec : a->spec;
    const struct seat *seat = front__seat(f, a->name, t->id);
    struct patient *p = patient_of(h, t->id);

    if (p)
        p->here = true;
    /* What nobody comes to is not asked by HAProxy either, and a deploy judges what is new. */
    if (!v || (v->role != ROLE_STABLE && v->role != ROLE_CANARY) || t->leaving ||
        v->wanted == 0 || !seat || seat->server.state != GATEWAY_READY || spec_is_maya(s)) {
        if (p)
            p->down_ms = 0;
    } else if (seat->up) {
        if (!p && seat->checked)
            p = admit(h, a->name, t->id);
        if (p) {
            p->here = true;
            p->down_ms = 0;
        }
    } else if (p && !p->killed_ms) {
        see_down(h, en, p, t, s, now_ms);
    }
    if (p && !p->down_ms)
        hang_up(h, p);
}

void hung__look(struct hung *h, struct engine *en, const struct front *f, struct world *w,
                int64_t now_ms)
{
    if (!h->multi)
        return;
    take_answers(h);
    for (size_t i = 0; i < h->count; i++)
        h->at[i].here = false;
    for (size_t i = 0; i < w->count; i++)
        for (size_t k = 0; w->apps[i].spec && k < w->apps[i].task_count; k++)
            see_task(h, en, f, &w->apps[i], &w->apps[i].tasks[k], now_ms);
    for (size_t i = 0; i < h->count;) {
        struct patient *p = &h->at[i];
        if (p->here || (p->killed_ms && now_ms - p->killed_ms < p->limit_ms)) {
            i++;
            continue;
        }
        hang_up(h, p);
        *p = h->at[--h->count];
    }
}
