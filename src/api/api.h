/*
 * api: the HTTP door for people and their clients: the predecessor's REST and event-stream
 * interface under /api/v1 and /api, the page at "/", health, metrics and the description of
 * all of it. Turns requests into turns, looks and changes of the agent, and errors into JSON.
 * Owns no session; holds one only inside a callback. Errors are
 * {"detail": <sentence or list>, "code": <stable word>}, with Retry-After where it helps.
 */
#pragma once

#include "base/err.h"
#include "base/must.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct agent;
struct agent_keys;
struct api;
struct buf;
struct ears;
struct http_req;
struct ops;
struct session_table;
struct voice;

struct api_cfg {
    struct agent *agent;
    struct session_table *sessions;
    struct voice *voice;       /* NULL: nobody speaks */
    struct ears *ears;         /* NULL: nobody hears */
    struct agent_keys *keys;   /* NULL: keys that people bring are not checked */
    struct ops *ops;           /* may be set later with api_set_ops() */
    const char *allow_origins; /* comma-separated, "*" for any, "" for none */
    const char *admin_token;   /* of the operator; NULL or "": only this machine may ask */
    bool fresh;                /* serve --reload: the page comes anew when it has changed */
    const char *web_folder;    /* and its files from here; NULL: those built in */
    int64_t expiry_s;          /* of a session */
    uint64_t seed;             /* of the table of watched sessions */
    int64_t (*now_s)(void *clock_ctx);
    void *clock_ctx;
};

struct api *api_new(const struct api_cfg *cfg) MUST_USE;
void api_free(struct api **a);
void api_set_ops(struct api *a, struct ops *ops);
void api_set_admin_token(struct api *a,
                         const char *token); /* borrowed; for the next requests */

/* For struct http_cfg. `ctx` is the struct api. */
void api_on_request(void *ctx, struct http_req *req);
void api_on_answer(void *ctx, struct http_req *req, int status);

/* Call it every API_TICK_MS: keeps the streams of /session/events alive. Bounded work. */
#define API_TICK_MS 100
void api_tick(struct api *a);

/* Paths of the routes by index, for the metrics' route label; then "asset" and "other". */
const char *const *api_route_names(size_t *ret_count);

/* The routes table, for /openapi.json and docs/api.md. */
void api_openapi(struct buf *out);
void api_markdown(struct buf *out);
