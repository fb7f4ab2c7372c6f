/*
 * gateway: the one front door of a host, which is HAProxy 2.6. What it shall do is a plan; this
 * folder writes the plan as a configuration, changes a running HAProxy through its runtime
 * socket, and reads from there how it goes. docs/gateway.md says what is retried and why.
 *
 * Knows no engine, no deploy and no session: who calls says which containers there are. Nothing
 * here runs on a loop that serves; gateway_ask() blocks for as long as it is told.
 *
 * Every app is one backend of HAProxy with a fixed number of slots, servers s1 to sN. A
 * container comes into a slot and leaves it while HAProxy runs, so nothing is ever reloaded for
 * it. All versions of an app share the backend: a container that fails is made good by any
 * other.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/strs.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GATEWAY_SLOTS_MAX 1000
#define GATEWAY_WEIGHT_MAX 256                /* HAProxy's own */
#define GATEWAY_WAIT_OVER "Gateway-Wait-Over" /* header of 504 from there, to become 503 */
#define GATEWAY_WAIT "wait" /* the server that an app's `waiting` is, beside s1 to sN */

/* What a version is to the app. GATEWAY_OLD gets no new sessions, whatever its weight. */
enum gateway_role { GATEWAY_STABLE, GATEWAY_CANARY, GATEWAY_OLD, GATEWAY_ROLE__COUNT };

/*
 * READY takes all. DRAIN keeps the sessions it has and gets no new ones. MAINT hands them over:
 * what it is answering goes on to its end, and each session's next request goes elsewhere. A
 * slot without a container is MAINT.
 */
enum gateway_state { GATEWAY_MAINT, GATEWAY_READY, GATEWAY_DRAIN, GATEWAY_STATE__COUNT };
const char *gateway_state_text(enum gateway_state s); /* "maint", "ready", "drain" */

struct gateway_version {
    const char *name; /* as "v7" */
    unsigned weight;  /* its share of new sessions, against the other versions'; 0..10000 */
    enum gateway_role role;
};

/* The container in a slot. */
struct gateway_server {
    const char *version; /* one of the app's; NULL: the slot is empty */
    const char *address; /* numeric, IPv4 or IPv6 */
    unsigned port;
    unsigned agent_port; /* where MAYA_AGENT_CHECK_PORT is reached; 0 in an app without */
    enum gateway_state state;
    /* It is not well, or nobody knows: a HAProxy that starts has it in maintenance, as it would
     * send people there before its first check. Whoever keeps the gateway lets it in. */
    bool down;
};

struct gateway_app {
    const char *name;         /* [a-z0-9-], at most 48 */
    const char *const *hosts; /* names, or "*.name" for all below */
    size_t host_count;
    bool fallback;       /* takes what is for no other app; one at most */
    bool maya;           /* Maya's own statuses and headers hold: see docs/gateway.md */
    bool agent;          /* its containers tell their room on a port of their own */
    bool redirect;       /* plain HTTP sends people to HTTPS, and never to a container */
    const char *waiting; /* path of a socket that holds requests while no container is up, or
                            NULL: they are answered 503 */
    unsigned wait_s;     /* how long a request waits for its turn there */
    const char *health;  /* path that answers 200 when a container may be used */
    unsigned expiry_s;   /* how long an idle session is remembered */
    unsigned turn_s;     /* the longest silence within an answer */
    unsigned slots;
    const struct gateway_version *versions;
    size_t version_count;
    const struct gateway_server *servers; /* of slots 1.. */
    size_t server_count;
};

struct gateway_plan {
    const char *runtime;  /* the runtime socket: a path, or ADDRESS:PORT */
    const char *instance; /* an environment variable of HAProxy's: "." and its value come behind
                             the runtime socket's path, for two that run side by side; NULL */
    const char *peer;     /* path of a socket: a reload hands over who is where; NULL: not */
    const char *bind;     /* numeric address, "*" (IPv4) or "::" (both) */
    unsigned http_port, https_port; /* 0: none; not both */
    const char *const *certs;       /* files or folders of PEM with certificate and key */
    size_t cert_count;
    unsigned max_conns;
    unsigned threads; /* HAProxy's; 0: as many as there are cores */
    unsigned buffer;  /* bytes of a request that can be sent again, head and body */
    unsigned check_ms;
    const struct gateway_app *apps;
    size_t app_count;
};

/* check.c: ERR_CONFIG with a sentence that names what is wrong. Everything below wants a plan
 * that passed. No name in one that did can say anything but a name in the configuration. */
int gateway_check(const struct gateway_plan *p, struct err *e) MUST_USE;

/* config.c: the configuration as text, the same for the same plan. */
void gateway_config(const struct gateway_plan *p, struct buf *out);

/*
 * weight.c: what each of the app's servers weighs, 0 to GATEWAY_WEIGHT_MAX, server_count of
 * them. A version's share is split among those of its servers that are READY.
 */
void gateway_weights(const struct gateway_app *a, unsigned *ret);

/* plan.c: a plan from JSON (docs/gateway.md); unknown names are errors. Free it after use. */
struct gateway_file;
int gateway_plan_read(const char *json, size_t len, struct gateway_file **ret,
                      struct err *e) MUST_USE;
const struct gateway_plan *gateway_plan_of(const struct gateway_file *f);
void gateway_plan_free(struct gateway_file **f);

/* runtime.c: a running HAProxy */

/*
 * One command; what HAProxy answers is appended to `out`. `runtime` is as in the plan. ERR_IO
 * when it cannot be reached or does not answer whole within `timeout_ms`.
 */
int gateway_ask(const char *runtime, const char *command, int timeout_ms, struct buf *out,
                struct err *e) MUST_USE;

/*
 * Put a container into slot `slot` (from 1), or (version NULL) nothing. A slot that had another
 * container is emptied first. ERR_IO as above, or with HAProxy's own words.
 */
int gateway_set_slot(const char *runtime, const struct gateway_app *a, unsigned slot,
                     const struct gateway_server *s, unsigned weight, int timeout_ms,
                     struct err *e) MUST_USE;
/* Only the weight, or only the state, of the container that is there. */
int gateway_set_weight(const char *runtime, const struct gateway_app *a, unsigned slot,
                       unsigned weight, int timeout_ms, struct err *e) MUST_USE;
int gateway_set_state(const char *runtime, const struct gateway_app *a, unsigned slot,
                      enum gateway_state state, int timeout_ms, struct err *e) MUST_USE;
/* Whoever waits for a turn at the app's `waiting` is sent to a container that is up. */
int gateway_release(const char *runtime, const struct gateway_app *a, int timeout_ms,
                    struct err *e) MUST_USE;
/*
 * Another HAProxy takes the place of this one (a plan with `instance`): each answer asks that
 * its connection be closed, so that nobody sends on one which is just being closed.
 */
int gateway_leave(const char *runtime, bool leaving, int timeout_ms, struct err *e) MUST_USE;
/* READY, and nobody comes to the container in this slot before its next check has found it
 * well.
 */
int gateway_set_down(const char *runtime, const struct gateway_app *a, unsigned slot,
                     int timeout_ms, struct err *e) MUST_USE;

/*
 * The container in this slot will not end what it is answering (it hangs): let go of it, and
 * send again elsewhere what may be. Say MAINT before. Streams end, and whoever reads them comes
 * back.
 */
int gateway_cut(const char *runtime, const struct gateway_app *a, unsigned slot, int timeout_ms,
                struct err *e) MUST_USE;

/*
 * sync.c: whatever of the app's slots is not as in the plan becomes so: who comes before who
 * goes. A container that is there already is not touched but for its weight and state.
 * ERR_INVALID when this gateway runs with another plan's configuration.
 */
int gateway_sync(const char *runtime, const struct gateway_app *a, int timeout_ms,
                 struct err *e) MUST_USE;

/*
 * door.c: two HAProxys side by side, for as long as one takes the place of the other. Each has
 * sockets of its own, FOLDER/runtime.sock.INSTANCE and master.sock.INSTANCE; runtime.sock and
 * master.sock are links to those of the one that is spoken to.
 */
struct gateway_door {
    char runtime[64], master[64]; /* the links */
    char own_runtime[108], own_master[108], coming[108];
};
/* `instance`: letters and digits, at most 32. */
int gateway_door_init(struct gateway_door *ret, const char *folder, const char *instance,
                      struct err *e) MUST_USE;
/* Before it starts. *ret_running: one runs, whose listening sockets it can have (-x). */
int gateway_door_come(const struct gateway_door *d, bool *ret_running, struct err *e) MUST_USE;
/*
 * 0: it answers. The first time it is spoken to from then on, and the one before is told to
 * leave and given a moment for that. Later only where nobody else is spoken to.
 */
int gateway_door_ask(const struct gateway_door *d, int timeout_ms, struct err *e) MUST_USE;

/* read.c: what HAProxy tells of itself. Texts are borrowed from what was parsed. */

/* A line of "show stat". Counters are since HAProxy's start; what it leaves empty is 0. */
struct gateway_stat {
    struct str backend, server; /* server: also "FRONTEND" and "BACKEND" */
    struct str status;          /* "UP", "DOWN", "MAINT", "DRAIN", ... */
    struct str check, agent;    /* last result: "L7OK", "L4CON", ... */
    uint64_t requests;          /* answered or tried; of a server its connections */
    uint64_t ok, client_errors, server_errors; /* 2xx, 4xx, 5xx */
    uint64_t connect_errors, response_errors;
    uint64_t retries, redispatches; /* sent again; sent again elsewhere */
    uint64_t current, queued;       /* now */
    uint64_t weight;
    uint64_t first_byte_ms, total_ms; /* mean of the last 1024 */
};

/* A line of "show servers state". */
struct gateway_slot {
    struct str backend, server; /* "s3" */
    struct str address;
    uint64_t port, agent_port;
    uint64_t weight;
    enum gateway_state state;
    bool up; /* its checks say so */
};

/* fn for each line. ERR_INVALID when this is not such an answer; lines before were told. */
int gateway_read_stat(struct str csv, void (*fn)(void *ctx, const struct gateway_stat *s),
                      void *ctx, struct err *e) MUST_USE;
int gateway_read_slots(struct str text, void (*fn)(void *ctx, const struct gateway_slot *s),
                       void *ctx, struct err *e) MUST_USE;
