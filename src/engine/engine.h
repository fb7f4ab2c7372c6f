/*
 * engine: what runs containers, Docker Engine, over its HTTP API (API 1.40 to 1.4x, the number
 * is agreed on with the daemon). Finds it as the docker command does, and turns its refusals
 * into one sentence. Owns one connection and what it takes to make it; knows no app, no
 * version, no Maya. It blocks: for commands and services of their own, never on a loop that
 * serves.
 *
 * Reached over a unix socket, over TCP with TLS and a client's certificate, or over ssh, which
 * runs `docker system dial-stdio` on the other side. Plain TCP is refused: whoever reaches
 * it is root there.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/must.h"

#include <jansson.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct engine;

struct engine_cfg {   /* texts are borrowed for the call */
    const char *host; /* "unix:///run/docker.sock"; NULL or "": as the environment says */
    const volatile sig_atomic_t *stop; /* not 0: end what is under way with ERR_STOPPED; NULL */
};

/*
 * Find the engine (engine_find()), ask it who it is, agree on the API's number. Podman is an
 * engine, too, as far as it goes: engine_is_podman() tells.
 */
int engine_open(const struct engine_cfg *cfg, struct engine **ret, struct err *e) MUST_USE;
void engine_close(struct engine **ref); /* leaves NULL */
/* The stop was heard: from now on it ends nothing, so that what was begun can be undone. */
void engine_unstop(struct engine *en);
void engine_heed(struct engine *en);               /* that is over: a stop ends calls again */
const char *engine_shown(const struct engine *en); /* the address, for people */
bool engine_is_podman(const struct engine *en);

/*
 * One call. `path` begins behind the API's number and is percent-encoded where it must be
 * (engine_quote()). Exactly one of body_json and body_read, or none.
 */
struct engine_call {
    const char *method; /* "GET" */
    const char *path;   /* "/secrets?filters=..." */
    json_t *body_json;  /* borrowed */
    /* Returns the bytes put into `to`; 0 at the end, -1 to give up. */
    long (*body_read)(void *ctx, char *to, size_t size);
    void *body_ctx;
    const char *body_type;     /* of body_read: "application/x-tar" */
    const char *registry_auth; /* X-Registry-Auth, or NULL */
    /* What comes with a 2xx; NULL: it is kept in `answer`. false ends the call, and it worked.
     */
    bool (*on_data)(void *ctx, const char *data, size_t len);
    void *data_ctx;
    long silence_s; /* give up after so long without a byte; 0: never (logs, events, wait) */
    /* What came. */
    long status;
    struct buf answer;
    char *stat_header; /* X-Docker-Container-Path-Stat, or NULL; freed by the release */
};

#define ENGINE_ANSWER_MAX ((size_t)64 << 20)
#define ENGINE_SILENCE_S 60

/*
 * 0 for any 2xx and for 304 (it is so already). Otherwise -1 with the engine's own words:
 * ERR_NOT_FOUND (404), ERR_USED (409), ERR_INVALID (400), ERR_STOPPED, ERR_IO for the rest.
 */
int engine_do(struct engine *en, struct engine_call *call, struct err *e) MUST_USE;
void engine_call_release(struct engine_call *call);

/* -1 with the engine's own words in one line; of a full disk ERR_DISK, with better ones. */
int engine_refuse(const struct engine *en, enum err_code code, const char *words,
                  struct err *e);
bool engine_disk_full(const char *words); /* is that what they say? */

/*
 * JSON both ways: the path from a format. `body` is borrowed and may be NULL. *ret (NULL: not
 * wanted) is the caller's reference, and JSON null when the answer had no body.
 */
int engine_json(struct engine *en, const char *method, json_t *body, json_t **ret,
                struct err *e, const char *path, ...) PRINTF_LIKE(6, 7) MUST_USE;

/*
 * A call whose answer is one JSON object a line (build, pull, events): each is given to
 * `on_line`, borrowed; false ends the call. A line that says errorDetail or error fails the
 * call with its words, whatever the status was.
 */
int engine_lines(struct engine *en, struct engine_call *call,
                 bool (*on_line)(void *ctx, json_t *line), void *ctx, struct err *e) MUST_USE;

/* Percent-encoded for a path or a query, appended. */
void engine_quote(struct buf *out, const char *text);
/* GET a list, "/services", of what has all of these: NULL-ended pairs of filter and value. */
int engine_list(struct engine *en, const char *path, const char *const *pairs, json_t **ret,
                struct err *e) MUST_USE;
/* "filters=" with {key: [value]} in it, appended. Both are NULL-ended pairs. */
void engine_filters(struct buf *out, const char *const *pairs);

/*
 * The log stream of a container without a terminal: frames of stdout and stderr, cut anywhere.
 * `on_bytes` gets a frame's bytes as they come; stream 1 is stdout, 2 stderr, 3 the engine's
 * own complaint.
 */
struct engine_frames {
    void (*on_bytes)(void *ctx, int stream, const char *data, size_t len);
    void *ctx;
    unsigned char head[8];
    unsigned have;
    uint32_t left;
};
void engine_frames_feed(struct engine_frames *f, const char *data, size_t len);

/* talk.c: bytes both ways, as for a program that runs in a container */

struct engine_talk {
    int in_fd; /* read until its end; -1: there is nothing to say */
    void (*on_bytes)(void *ctx, const char *data,
                     size_t len); /* as they come, still in frames */
    void (*on_look)(void *ctx);   /* now and then, at least ten times a second; or NULL */
    void *ctx;
};
/* POST `body`, and then talk until the other side ends. */
int engine_talk(struct engine *en, const char *path, const json_t *body,
                struct engine_talk *with, struct err *e) MUST_USE;

/* stream.c: several answers at once, each read as it comes */

struct engine_streams;
struct engine_stream;
struct engine_streams *engine_streams_new(struct engine *en); /* NULL: no memory */
void engine_streams_free(struct engine_streams **ref);        /* ends them all */
/*
 * GET `path`; what comes goes to `on_data` while engine_streams_wait() runs. When that says
 * false nothing more comes until engine_stream_resume(). *ret is the streams' own, as long as
 * they are.
 */
int engine_stream_begin(struct engine_streams *s, const char *path,
                        bool (*on_data)(void *ctx, const char *data, size_t len), void *ctx,
                        struct engine_stream **ret, struct err *e) MUST_USE;
void engine_stream_resume(struct engine_stream *one);
/* Has it ended? Then *ret_rc is as of engine_do(), with its error. */
bool engine_stream_ended(const struct engine_stream *one, int *ret_rc, struct err *e);
/* Until something came, or so long. ERR_STOPPED. */
int engine_streams_wait(struct engine_streams *s, int timeout_ms, struct err *e) MUST_USE;

/* find.c */

/* Where an engine is. */
struct engine_place {
    char *host;      /* "unix:///var/run/docker.sock" */
    char *cert_path; /* folder of ca.pem, cert.pem and key.pem, or NULL */
    char *from;      /* "DOCKER_HOST", "the context 'x'", "the default" */
};
/*
 * As the docker command does: `host`, DOCKER_HOST, DOCKER_CONTEXT, the current context of
 * ~/.docker/config.json, /var/run/docker.sock, $XDG_RUNTIME_DIR/docker.sock.
 */
int engine_find(const char *host, struct engine_place *ret, struct err *e) MUST_USE;
void engine_place_release(struct engine_place *p);

/* swarm.c */

enum engine_swarm {
    ENGINE_SWARM_NONE,    /* this engine is alone */
    ENGINE_SWARM_MANAGER, /* and we may say what is to run */
    ENGINE_SWARM_WORKER,
    ENGINE_SWARM_LOCKED,
    ENGINE_SWARM_BROKEN
};
int engine_swarm(struct engine *en, enum engine_swarm *ret, struct err *e) MUST_USE;
/* Make this engine a Swarm of one node, reachable by itself alone. */
int engine_swarm_init(struct engine *en, struct err *e) MUST_USE;
/* Error with what to do about it unless this is a Swarm's manager. Podman is told what it
 * lacks. */
int engine_need_swarm(struct engine *en, struct err *e) MUST_USE;
