/* Private to the keeper's files: what it saw at this look, and what it keeps between two. */
#pragma once

#include "fleet/spec.h"
#include "fleet/version.h"
#include "gateway/gateway.h"

#include <stdbool.h>
#include <stdint.h>

/* For what was on its way to a container when it was taken out; to Maya it is sent again,
 * should it come too late. */
#define SETTLE_MS 1000
#define SETTLE_MAYA_MS 100

struct engine;

/* A container that people may be sent to: a task that runs. */
struct seen_task {
    const char *id; /* of the task; borrowed from the world */
    char address[64];
    const char *container; /* its id; borrowed */
    unsigned port, agent_port;
    int version;
    bool leaving; /* it is to get nothing new: keeper_resize.c */
};

/* A version that has a service. */
struct seen_version {
    int number, weight, wanted; /* wanted: replicas */
    enum fleet_role role;
    int ready, serves; /* as its labels say */
    char name[8];      /* "v7" */
    const json_t *service;
    unsigned tasks; /* not ended, whatever they do */
    /* Containers that ended by themselves, of those the Swarm remembers; killed among them. */
    unsigned ended, killed;
};

struct seen_app {
    const char *name;
    struct spec *spec;        /* of its stable version, or the newest there is */
    struct spec *next_spec;   /* of the one in the role `next`, where that is another */
    struct spec *canary_spec; /* of the canary */
    struct seen_version *versions;
    size_t version_count;
    struct seen_task *tasks;
    size_t task_count;
};

/* All that the Swarm says of apps, at one moment. */
struct world {
    json_t *services, *tasks, *nodes, *configs;
    struct seen_app *apps;
    size_t count;
    uint64_t stamp; /* another one when a service or a task has changed */
};
int keeper__look(struct engine *en, struct world *ret, struct err *e) MUST_USE;
void keeper__world_release(struct world *w);
struct seen_version *keeper__version(struct seen_app *a, int number); /* or NULL */
struct seen_version *keeper__by_role(struct seen_app *a, enum fleet_role r);

#define FRONT_NEXT "-next" /* behind the name of an app: its second one */

/* keeper_name.c: free() what comes back, the hosts one by one. */

/* As HAProxy may have it: lower case, digits and dashes. Two that fall together differ behind.
 */
char *front__name(const char *app, const char *suffix) MUST_USE;
/* `next`: those of the version that only people who know its second name come to. */
char **front__hosts(const char *app, const struct spec *s, bool next,
                    size_t *ret_count) MUST_USE;

/* keeper_front.c: HAProxy is what the world says. */

/* A slot of an app: who is in it. */
struct seat {
    char task[32]; /* "": nobody */
    struct gateway_server server;
    char version[8], address[64];
    uint64_t current, requests, errors; /* of "show stat" */
    uint64_t new_requests, new_errors;  /* since the look before */
    bool up, checked, counted; /* checked: its readiness was asked for, and it is ready */
    bool proven;               /* it answered before it came here; else HAProxy asks it first */
    bool put_down;             /* until then HAProxy says that it is down */
    bool ready;                /* `up`, and that by a check as it is to be done now */
    bool met;                  /* it was ready once */
    int64_t since_ms;          /* in it, or on its way out */
};

struct seats { /* of one app */
    char *app;
    struct seat *at;
    unsigned count;
    uint64_t queued; /* requests that wait for a turn to wait at the keeper's */
    bool seen;       /* in the plan */
};

struct front {
    const char *folder;
    int http_port, https_port;
    const char *bind; /* as in the gateway's plan */
    char runtime[120], master[120], config[120], peer[120];
    char door[120];    /* whose runtime socket it was last: the socket is a link */
    char *written;     /* the configuration as it was written last */
    int64_t asked_ms;  /* when HAProxy was last asked to read it, or replaced by another */
    char asked[33];    /* with which mark */
    bool same;         /* HAProxy said that it runs with the one that is written */
    bool current;      /* and did so at the look before, too: all it says is of that one */
    uint8_t certs[16]; /* a digest of the certificates */
    struct seats *apps;
    size_t count;
    char left_out[80]; /* the first app that is, so that it is logged once */
};
void front__init(struct front *f, const char *folder, int http_port, int https_port);
void front__release(struct front *f);
/* ERR_IO when HAProxy is not there (yet). What it says of itself is in the seats afterwards. */
int front__sync(struct front *f, struct world *w, int64_t now_ms, struct err *e) MUST_USE;
const struct seats *front__seats(const struct front *f, const char *app); /* or NULL */

/* keeper_config.c: the files that HAProxy reads. */

/* Write the configuration, and have it read when HAProxy runs with another one. */
int front__configure(struct front *f, const struct gateway_plan *p, int64_t now_ms,
                     struct err *e) MUST_USE;
/* What this machine gives HAProxy. */
unsigned front__most_connections(void);
unsigned front__threads(void);
const char *front__addresses(void); /* as a plan's `bind` */
/* Has HAProxy read its configuration anew in this time? An older process may have requests. */
bool front__reloaded(const struct front *f, int64_t now_ms, int64_t within_ms);
/*
 * Put the certificates that the keeper was given (*.pem in KEEPER_SECRETS) where HAProxy reads
 * them. How many there are; 0 without a port for them.
 */
unsigned front__certs(struct front *f);
#define KEEPER_SECRETS "/run/secrets"

/* The seats of an app, as HAProxy calls it, and at least so many. */
struct seats *front__get_seats(struct front *f, const char *app, unsigned slots);
struct seats *front__find(struct front *f, const char *app); /* or NULL */

/* keeper_compare.c: what differs from the plan is told to HAProxy; the seats hear of it. */
int front__compare(struct front *f, const struct gateway_plan *p, int64_t now_ms,
                   struct err *e) MUST_USE;
#define FRONT_CHECK_MS 1000 /* how often HAProxy asks a container whether it is well */

/* keeper_seats.c */

/*
 * Note in free seats whom HAProxy has there, for a keeper that has just begun: a container that
 * got another slot would swap its sessions with somebody's, while who watches them stays.
 */
void front__adopt(struct front *f, int timeout_ms);

/* The seat of a task that people come to; NULL: it has none. */
const struct seat *front__seat(const struct front *f, const char *app, const char *task);
/* Containers of a version that are ready, under the app's name or its second one; requests
 * under way at those under its name. */
int front__up(const struct front *f, const char *app, bool next, int version);
uint64_t front__busy(const struct front *f, const char *app, int version);
/* Of a version's containers under the app's name. */
struct front_health {
    bool up;   /* one is */
    bool well; /* one is, and passed its last check */
    bool lost; /* one was ready, is still there, and is not up any more */
};
struct front_health front__health(const struct front *f, const char *app, int version);
/* Requests of an app that wait in HAProxy for a container. */
uint64_t front__queued(const struct front *f, const char *app);
/* Add what a version was asked since the look before, and what of it failed. */
void front__new(const struct front *f, const char *app, int version, uint64_t *requests,
                uint64_t *errors);

/* keeper_watch.c: a version that serves since a moment, with the one before kept beside it. */
struct watches;
struct watches *watches__new(void) MUST_USE;
void watches__free(struct watches **ref);
/* After a sync that worked: is it well? If not, the one before serves again. */
void watches__look(struct watches *all, struct engine *en, const struct front *f,
                   const struct world *w, struct seen_app *a, int64_t now_ms);
/* Is this the one that is kept beside a version that is watched? */
bool watches__kept(const struct seen_app *a, const struct seen_version *v);

/* keeper_canary.c: trials of canaries; each app has one at most. */
struct trials;
struct trials *trials__new(void) MUST_USE;
void trials__free(struct trials **ref);
/* After a sync that worked: look at the app's canary, if it has one, and decide. */
void trials__look(struct trials *all, struct engine *en, const struct front *f,
                  const struct world *w, struct seen_app *a, int64_t now_ms);
/* What became of a version, beside what is kept of it: LABEL_SAW, and its state or NULL. */
void trials__note(struct engine *en, const struct world *w, const char *app, int number,
                  const char *saw, const char *state);
