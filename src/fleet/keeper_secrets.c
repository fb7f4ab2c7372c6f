/*
 * Brings secrets that were replaced into containers that have an older one: once into each, as
 * soon as it runs, before people come to it. The keeper that begins does it again, which harms
 * nothing. It has a thread and a connection of its own: a container may not answer.
 */
#include "fleet/rotated.h"

#include "base/alloc.h"
#include "base/log.h"
#include "engine/engine.h"
#include "fleet/fleet.h"
#include "fleet/keeper_int.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#define PROGRAM "/usr/bin/maya"
#define LOOK_MS 500
#define SOON_MS 200    /* while there is something to bring to what starts */
#define AGAIN_MS 30000 /* to a container that does not take it */
#define WITHIN_MS 10000
#define CALM_LOOKS 8 /* before what is too much goes, as that starts the keeper anew */

/* Into which container, which object; and when again, if that failed. */
struct brought {
    char container[72], secret[80];
    int64_t again_ms; /* 0: it is there */
    bool there;       /* the container is, at this look */
};

struct bringer {
    char *host;
    struct engine *en;
    pthread_t thread;
    int bell;
    /* stop: of the engine's calls, also when one takes too long */
    volatile sig_atomic_t over, stop;
    int64_t until_ms;
    struct brought *all;
    size_t count;
    unsigned calm;
    bool soon;
    char said[240]; /* the last complaint, so that it is logged once */
};

static void complain(struct bringer *b, const struct err *e)
{
    if (b->over || strcmp(b->said, e->msg) == 0)
        return;
    snprintf(b->said, sizeof(b->said), "%s", e->msg);
    log_warn("keeper", "secrets", "why=\"%s\"", e->msg);
}

static struct brought *note_of(struct bringer *b, const char *container, const char *secret)
{
    for (size_t i = 0; i < b->count; i++)
        if (strcmp(b->all[i].container, container) == 0 &&
            strcmp(b->all[i].secret, secret) == 0)
            return &b->all[i];
    b->all = xrealloc(b->all, (b->count + 1) * sizeof(*b->all));
    struct brought *one = &b->all[b->count++];
    *one = (struct brought){.again_ms = 1};
    snprintf(one->container, sizeof(one->container), "%s", container);
    snprintf(one->secret, sizeof(one->secret), "%s", secret);
    return one;
}

/* What is said may be anything, so it is not looked at. */
static void on_bytes(void *ctx, int stream, const char *data, size_t len)
{
    (void)ctx;
    (void)stream;
    (void)data;
    (void)len;
}

/* Asked ten times a second while the program runs. */
/* NOLINTNEXTLINE(readability-non-const-parameter): others say a size here */
static bool too_late(void *ctx, int *rows, int *columns)
{
    struct bringer *b = ctx;

    (void)rows;
    (void)columns;
    if (b->over || fleet__now_ms() > b->until_ms)
        b->stop = 1;
    return false;
}

/* The program gets to know how much there is, so that no half of it counts. */
static int bring(struct bringer *b, const char *container, const char *name, int fd,
                 struct err *e)
{
    char path[160], size[24];
    const char *const argv[] = {PROGRAM, "receive", path, size, NULL};
    const struct fleet_exec x = {
        .argv = argv, .in_fd = fd, .on_bytes = on_bytes, .resized = too_late, .ctx = b};
    struct stat st;
    int code = 0;

    if (fstat(fd, &st) < 0)
        return err_set(e, ERR_IO, 0, "what the keeper was given cannot be read");
    snprintf(path, sizeof(path), ROTATED_FOLDER "/%s", name);
    snprintf(size, sizeof(size), "%lld", (long long)st.st_size);
    b->until_ms = fleet__now_ms() + WITHIN_MS;
    int rc = fleet_container_exec(b->en, container, &x, &code, e);
    b->stop = b->over;
    if (rc == 0 && code != 0)
        rc = err_set(e, ERR_IO, 0, PROGRAM " receive ended with %d", code);
    return rc;
}

/* She would see it by herself, a little later. The first process of a container does not mind a
 * signal that it does not wait for. */
static void ring(struct bringer *b, const char *container)
{
    struct err e;

    if (engine_json(b->en, "POST", NULL, NULL, &e, "/containers/%s/kill?signal=SIGUSR1",
                    container) < 0)
        log_info("keeper", "secret_not_told", "container=%.12s why=\"%s\"", container, e.msg);
}

static void see_to(struct bringer *b, const json_t *task, const json_t *service,
                   const json_t *newest)
{
    const json_t *status = json_object_get(task, "Status");
    const char *container =
        fleet__text(json_object_get(status, "ContainerStatus"), "ContainerID");
    const char *swarm = fleet__text(newest, "swarm_name"),
               *app = fleet__label(service, LABEL_APP);
    char *path = xprintf(KEEPER_SECRETS "/%s" ROTATED_SUFFIX, swarm);
    struct brought *note = note_of(b, container, swarm);
    struct err e;
    int fd = -1;

    note->there = true;
    if (note->again_ms && fleet__now_ms() >= note->again_ms)
        fd = open(path, O_RDONLY | O_CLOEXEC); /* not yet given: the next keeper is */
    free(path);
    if (fd < 0)
        return;
    if (bring(b, container, fleet__text(newest, "name"), fd, &e) == 0) {
        note->again_ms = 0;
        ring(b, container);
        log_info("keeper", "secret_brought", "secret=%s app=%s version=%d container=%.12s",
                 swarm, app, fleet__version(service), container);
    } else if (strcmp(fleet__text(status, "State"), "running") == 0 && !b->over) {
        note->again_ms = fleet__now_ms() + AGAIN_MS;
        log_warn("keeper", "secret_not_brought",
                 "secret=%s app=%s version=%d container=%.12s why=\"%s\"", swarm, app,
                 fleet__version(service), container, e.msg);
    } /* else it may not run yet */
    close(fd);
}

/* A container that starts is healthy only later, and until then nobody comes to it. */
static bool live(const json_t *task)
{
    const json_t *status = json_object_get(task, "Status");
    const char *state = fleet__text(status, "State");

    return (strcmp(state, "running") == 0 || strcmp(state, "starting") == 0) &&
           strcmp(fleet__text(task, "DesiredState"), "running") == 0 &&
           *fleet__text(json_object_get(status, "ContainerStatus"), "ContainerID");
}

static void forget_the_gone(struct bringer *b)
{
    size_t n = 0;

    for (size_t i = 0; i < b->count; i++)
        if (b->all[i].there)
            b->all[n++] = b->all[i];
    b->count = n;
}

static int bring_all(struct bringer *b, const json_t *services, const json_t *wanted,
                     struct err *e)
{
    json_t *tasks = NULL;

    if (json_array_size(wanted) && engine_json(b->en, "GET", NULL, &tasks, e, "/tasks") < 0)
        return -1;
    for (size_t i = 0; i < b->count; i++)
        b->all[i].there = false;
    for (size_t i = 0; i < json_array_size(tasks) && !b->over; i++) {
        const json_t *task = json_array_get(tasks, i);
        const json_t *service = fleet__by_id(services, fleet__text(task, "ServiceID"));
        for (size_t k = 0; service && live(task) && k < json_array_size(wanted); k++) {
            const json_t *newest = json_array_get(wanted, k);
            if (*fleet__label(service, LABEL_APP) && rotated__takes(service) &&
                rotated__older(service, newest))
                see_to(b, task, service, newest);
        }
    }
    forget_the_gone(b);
    json_decref(tasks);
    return 0;
}

static int look(struct bringer *b, struct err *e)
{
    json_t *services = NULL, *secrets = NULL;
    int rc = fleet__secrets_read(b->en, &secrets, &services, e);

    if (rc == 0) {
        json_t *wanted = rotated__wanted(services, secrets);
        b->soon = json_array_size(wanted) > 0;
        b->calm = rotated__differs(services, wanted) & ROTATED_EXTRA ? b->calm + 1 : 0;
        rc = rotated__give(b->en, services, wanted, b->calm > CALM_LOOKS, e);
        if (rc == 0)
            rc = bring_all(b, services, wanted, e);
        json_decref(wanted);
    }
    json_decref(secrets);
    json_decref(services);
    return rc;
}

static void *run(void *self)
{
    struct bringer *b = self;
    const struct engine_cfg cfg = {.host = b->host, .stop = &b->stop};
    struct pollfd bell = {.fd = b->bell, .events = POLLIN};
    struct err e;

    while (!b->over) {
        if ((!b->en && engine_open(&cfg, &b->en, &e) < 0) || look(b, &e) < 0)
            complain(b, &e);
        else
            b->said[0] = '\0';
        poll(&bell, 1, b->soon ? SOON_MS : LOOK_MS);
    }
    engine_close(&b->en);
    return NULL;
}

struct bringer *bringer__new(struct engine *en)
{
    struct bringer *b = xalloc(sizeof(*b));
    sigset_t all, before;

    b->host = xstrdup(engine_shown(en));
    b->bell = eventfd(0, EFD_CLOEXEC);
    sigfillset(&all); /* signals are the keeper's */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    MUST(b->bell >= 0 && pthread_create(&b->thread, NULL, run, b) == 0);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return b;
}

void bringer__free(struct bringer **ref)
{
    struct bringer *b = *ref;

    if (!b)
        return;
    b->over = 1;
    b->stop = 1;
    (void)!eventfd_write(b->bell, 1);
    pthread_join(b->thread, NULL);
    close(b->bell);
    free(b->all);
    free(b->host);
    free(b);
    *ref = NULL;
}
