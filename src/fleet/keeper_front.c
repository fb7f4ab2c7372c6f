/*
 * HAProxy, kept as the world says. The configuration is written anew whenever anybody moves, so
 * that a HAProxy that starts knows all; it is read again only when more than who is where has
 * changed (another app, other hosts). Who is where is told through the runtime socket, and what
 * HAProxy says of itself is compared at every look, so that nothing has to be remembered right.
 */
#include "fleet/keeper_int.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/strs.h"
#include "fleet/keeper.h"
#include "fleet/keeper_wait.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TIMEOUT_MS 3000
#define SLOTS_MIN 8
#define EXPIRY_S 3600
#define TURN_S 180
#define BUFFER 65536

void front__init(struct front *f, const char *folder, int http_port, int https_port)
{
    *f = (struct front){.folder = folder,
                        .http_port = http_port,
                        .https_port = https_port,
                        .bind = front__addresses()};
    snprintf(f->runtime, sizeof(f->runtime), "%s/runtime.sock", folder);
    snprintf(f->peer, sizeof(f->peer), "%s/peer.sock", folder);
    snprintf(f->master, sizeof(f->master), "%s/master.sock", folder);
    snprintf(f->config, sizeof(f->config), "%s/haproxy.cfg", folder);
}

void front__release(struct front *f)
{
    for (size_t i = 0; i < f->count; i++) {
        free(f->apps[i].app);
        free(f->apps[i].at);
    }
    free(f->apps);
    free(f->written);
}

/* Seats: which container sits in which slot, the same from look to look. */

struct seats *front__find(struct front *f, const char *app)
{
    for (size_t i = 0; i < f->count; i++)
        if (strcmp(f->apps[i].app, app) == 0)
            return &f->apps[i];
    return NULL;
}

const struct seats *front__seats(const struct front *f, const char *app)
{
    return front__find((struct front *)(uintptr_t)f, app);
}

/* Room for all of the most containers twice, as a rollout has them. */
static unsigned slots_for(const struct seen_app *a)
{
    unsigned most = a->spec ? (unsigned)spec_int(a->spec, SPEC_MAX_CONTAINERS) : 1;
    unsigned n = SLOTS_MIN;

    while (n < 2 * most + 2 && n < GATEWAY_SLOTS_MAX)
        n *= 2;
    return n < GATEWAY_SLOTS_MAX ? n : GATEWAY_SLOTS_MAX;
}

struct seats *front__get_seats(struct front *f, const char *app, unsigned slots)
{
    struct seats *s = front__find(f, app);

    if (!s) {
        f->apps = xrealloc(f->apps, (f->count + 1) * sizeof(*f->apps));
        s = &f->apps[f->count++];
        *s = (struct seats){.app = xstrdup(app)};
    }
    if (s->count < slots) {
        s->at = xrealloc(s->at, slots * sizeof(*s->at));
        memset(s->at + s->count, 0, (slots - s->count) * sizeof(*s->at));
        s->count = slots;
    }
    s->seen = true;
    return s;
}

static const struct seen_task *task_in(const struct seen_app *a, const char *id)
{
    for (size_t i = 0; i < a->task_count; i++)
        if (strcmp(a->tasks[i].id, id) == 0)
            return &a->tasks[i];
    return NULL;
}

static struct seat *seat_with(struct seats *s, const char *task)
{
    for (unsigned i = 0; i < s->count; i++)
        if (strcmp(s->at[i].task, task) == 0)
            return &s->at[i];
    return NULL;
}

/* A free one: where HAProxy has it already, else one where HAProxy has nobody. */
static struct seat *seat_for(struct seats *s, const struct seen_task *t)
{
    struct seat *best = NULL;

    for (unsigned i = 0; i < s->count; i++) {
        struct seat *seat = &s->at[i];
        if (*seat->task)
            continue;
        if (seat->server.port == t->port && strcmp(seat->address, t->address) == 0)
            return seat;
        if (!best || (best->server.port && !seat->server.port))
            best = seat;
    }
    return best;
}

/* Those under the second name are the ones that nobody else comes to yet. */
static bool belongs(struct seen_app *a, const struct seen_task *t, bool next)
{
    const struct seen_version *v = keeper__version(a, t->version);

    return v && (v->role == ROLE_NEXT) == next;
}

/* Did it answer under the second name? After a start nobody is doubted. */
static bool is_proven(const struct front *f, const struct seen_app *a, const char *task)
{
    char *name = front__name(a->name, FRONT_NEXT);
    const struct seats *s = front__seats(f, name);
    bool proven = !f->written;

    free(name);
    for (unsigned i = 0; s && i < s->count; i++)
        proven |= strcmp(s->at[i].task, task) == 0 && s->at[i].up && s->at[i].ready;
    return proven;
}

static void sit(const struct front *f, struct seats *s, struct seen_app *a, bool next,
                int64_t now_ms)
{
    for (unsigned i = 0; i < s->count; i++) {
        const struct seen_task *t = *s->at[i].task ? task_in(a, s->at[i].task) : NULL;
        if (*s->at[i].task && (!t || !belongs(a, t, next)))
            s->at[i] = (struct seat){.since_ms = now_ms};
    }
    for (size_t i = 0; i < a->task_count; i++) {
        const struct seen_task *t = &a->tasks[i];
        struct seat *seat;
        if (!belongs(a, t, next) || seat_with(s, t->id) || !(seat = seat_for(s, t)))
            continue;
        bool proven = is_proven(f, a, t->id);
        *seat = (struct seat){.since_ms = now_ms,
                              .proven = proven,
                              .ready = proven && !next,
                              .server.down = !proven};
        str_copy(seat->task, sizeof(seat->task), t->id);
        str_copy(seat->address, sizeof(seat->address), t->address);
        snprintf(seat->version, sizeof(seat->version), "v%d", t->version % 100000);
        seat->server.port = t->port;
        seat->server.agent_port = t->agent_port;
    }
    for (unsigned i = 0; i < s->count; i++) {
        struct seat *seat = &s->at[i];
        const struct seen_task *t = *seat->task ? task_in(a, seat->task) : NULL;
        const struct seen_version *v = t ? keeper__version(a, t->version) : NULL;
        seat->server.version = v ? seat->version : NULL;
        seat->server.address = seat->address;
        seat->server.state =
            v && v->role != ROLE_OLD && !t->leaving ? GATEWAY_READY : GATEWAY_MAINT;
    }
}

/* The plan */

struct plan {
    struct gateway_plan plan;
    struct gateway_app *apps;
    char *certs;
    const char *cert_list[1];
};

/* Where requests wait while the app has no container. Free it. */
static char *place_to_wait(const struct front *f, const struct seen_app *a, const char *name)
{
    struct err e;

    char *path = xprintf("%s/wait-%s.sock", f->folder, name);
    if (wait__open(a->name, path, &e) == 0)
        return path;
    log_warn("keeper", "wait", "app=%s why=\"%s\"", a->name, e.msg);
    free(path);
    return NULL;
}

/* Has it a certificate that can be shown, and does it want no plain HTTP? */
static bool sends_to_https(const struct front *f, const struct plan *p,
                           const struct seen_app *a)
{
    char *cert = xprintf("%s/certs/%s.pem", f->folder, a->name);
    bool is = p->plan.http_port && p->plan.https_port && access(cert, R_OK) == 0 &&
              strcmp(spec_text(a->spec, SPEC_TLS_HTTP), "redirect") == 0;

    free(cert);
    return is;
}

static void add_app(struct front *f, struct plan *p, struct seen_app *a, bool next,
                    bool fallback, int64_t now_ms)
{
    const struct spec *spec = next && a->next_spec ? a->next_spec : a->spec;
    char *name = front__name(a->name, next ? FRONT_NEXT : "");
    struct seats *s = front__get_seats(f, name, slots_for(a));
    struct gateway_version *versions = xalloc((a->version_count + 1) * sizeof(*versions));
    struct gateway_server *servers = xalloc(s->count * sizeof(*servers));
    struct gateway_app *app;

    const struct seen_version *canary = keeper__by_role(a, ROLE_CANARY);

    sit(f, s, a, next, now_ms);
    for (size_t i = 0; i < a->version_count; i++) {
        const struct seen_version *v = &a->versions[i];
        int rest = canary && v->role == ROLE_STABLE ? 100 - canary->weight : v->weight;
        versions[i] = (struct gateway_version){
            .name = v->name,
            .weight = next ? 100 : (unsigned)(rest > 0 ? rest : 0),
            .role = v->role == ROLE_CANARY ? GATEWAY_CANARY
                    : v->role == ROLE_OLD  ? GATEWAY_OLD
                                           : GATEWAY_STABLE,
        };
    }
    for (unsigned i = 0; i < s->count; i++)
        servers[i] = s->at[i].server;
    p->apps = xrealloc(p->apps, (p->plan.app_count + 1) * sizeof(*p->apps));
    app = &p->apps[p->plan.app_count++];
    *app = (struct gateway_app){
        .name = name,
        .fallback = fallback,
        .maya = spec_is_maya(spec),
        .agent = spec_is_maya(spec),
        .redirect = !next && sends_to_https(f, p, a),
        .waiting = next ? NULL : place_to_wait(f, a, name),
        .wait_s = (unsigned)spec_int(spec, SPEC_READY_WITHIN),
        .health = spec_text(spec, SPEC_READY_PATH),
        .expiry_s = EXPIRY_S,
        .turn_s = TURN_S,
        .slots = s->count,
        .versions = versions,
        .version_count = a->version_count,
        .servers = servers,
        .server_count = s->count,
    };
    app->hosts = (const char *const *)front__hosts(a->name, spec, next, &app->host_count);
}

static bool has_hosts(const struct seen_app *a)
{
    return spec_list(a->spec, SPEC_HOSTNAMES).count > 0;
}

static void make_plan(struct front *f, struct world *w, struct plan *p, int64_t now_ms)
{
    bool taken = false;

    *p = (struct plan){.plan = {
                           .runtime = f->runtime,
                           .instance = FLEET_GATEWAY_INSTANCE,
                           .peer = f->peer,
                           .bind = f->bind,
                           .http_port = (unsigned)f->http_port,
                           .max_conns = front__most_connections(),
                           .threads = front__threads(),
                           .buffer = BUFFER,
                           .check_ms = FRONT_CHECK_MS,
                       }};
    if (front__certs(f)) {
        p->plan.https_port = (unsigned)f->https_port;
        p->certs = xprintf("%s/certs", f->folder);
        p->cert_list[0] = p->certs;
        p->plan.certs = p->cert_list;
        p->plan.cert_count = 1;
    }
    for (size_t i = 0; i < f->count; i++)
        f->apps[i].seen = false;
    for (size_t i = 0; i < w->count; i++) {
        struct seen_app *a = &w->apps[i];
        if (!a->spec)
            continue;
        bool fallback = !taken && !has_hosts(a);
        taken |= fallback;
        if (!fallback && !has_hosts(a))
            continue; /* said when it was deployed */
        add_app(f, p, a, false, fallback, now_ms);
        /* It is always there, so that HAProxy need not read anything anew in a rollout: what an
         * older process of it is answering could not be seen. */
        add_app(f, p, a, true, false, now_ms);
    }
    p->plan.apps = p->apps;
}

static void release_app(struct gateway_app *a)
{
    for (size_t k = 0; k < a->host_count; k++)
        free((char *)(uintptr_t)a->hosts[k]);
    free((void *)(uintptr_t)a->hosts);
    free((void *)(uintptr_t)a->name);
    free((char *)(uintptr_t)a->waiting);
    free((void *)(uintptr_t)a->versions);
    free((void *)(uintptr_t)a->servers);
}

static void release_plan(struct plan *p)
{
    for (size_t i = 0; i < p->plan.app_count; i++)
        release_app(&p->apps[i]);
    free(p->apps);
    free(p->certs);
}

/*
 * An app that HAProxy would not take beside the others must not keep it from reading anything
 * any more. A deploy lets none through, but two may come at the same moment.
 */
static void leave_out(struct front *f, struct plan *p)
{
    size_t all = p->plan.app_count, n = 0;
    struct err e;

    if (gateway_check(&p->plan, &e) == 0) {
        f->left_out[0] = '\0';
        return;
    }
    for (size_t i = 0; i < all; i++) {
        struct gateway_app a = p->apps[i];
        p->apps[n] = a;
        p->plan.app_count = n + 1;
        if (gateway_check(&p->plan, &e) == 0) {
            n++;
            continue;
        }
        bool first = n == i; /* the next one is told when this one is mended */
        if (first && strcmp(f->left_out, a.name) != 0)
            log_warn("keeper", "left_out", "app=%s why=\"%s\"", a.name, e.msg);
        if (first)
            str_copy(f->left_out, sizeof(f->left_out), a.name);
        release_app(&a);
    }
    p->plan.app_count = n;
}

static void forget_gone(struct front *f)
{
    for (size_t i = 0; i < f->count;) {
        if (f->apps[i].seen) {
            i++;
            continue;
        }
        free(f->apps[i].app);
        free(f->apps[i].at);
        f->apps[i] = f->apps[--f->count];
    }
}

int front__sync(struct front *f, struct world *w, int64_t now_ms, struct err *e)
{
    struct plan p;
    int rc;

    if (!f->written)
        front__adopt(f, TIMEOUT_MS);
    make_plan(f, w, &p, now_ms);
    leave_out(f, &p);
    forget_gone(f);
    rc = front__configure(f, &p.plan, now_ms, e);
    if (rc == 0)
        rc = front__compare(f, &p.plan, now_ms, e);
    release_plan(&p);
    return rc;
}
