/* Private to cli/: the parts of `maya serve` that have a file of their own. */
#pragma once

#include "cli/reload_int.h"
#include "cli/serve_secrets.h"
#include "config/config.h"
#include "memory/memory.h"
#include "mind/mind.h"
#include "net/net.h"

#include <limits.h>

struct voice_cfg;

struct serve_minds {
    struct http_client *http;
    struct mind_cfg cfg;
    char *vertex_url;
};

struct serve {
    struct config *config;
    char agent_folder[PATH_MAX];
    char web_folder[PATH_MAX]; /* with --reload */
    uint64_t limit;            /* bytes of the container, at the start */
    uint64_t sessions;         /* what fits */
    struct loop *loop;
    struct loop_wake *store_wake;
    struct loop_timer *sampler, *janitor, *ticker;
    struct loop_watch *notice;
    int notice_fd;
    enum memory_notice_kind notice_kind;
    struct cgroup *cgroup;
    struct seal *seal;
    struct store *store;
    struct session_table *table;
    struct serve_minds minds;
    struct agent *agent;
    struct agent_keys *keys;
    struct voice *voice;
    struct ears *ears;
    struct ops *ops;
    struct api *api;
    struct http_server *http;
    struct serve_secrets secrets;
    struct reload_handed handed;
    struct net_tell *tell;
    bool stopping;
};

int64_t serve__ms(const struct config *c, enum config_id id); /* of an option in seconds */

/* serve_memory.c */
int serve__memory(struct serve *s, struct err *e) MUST_USE; /* limit, and what fits in it */
/* Where the kernel tells of memory that gets short; elsewhere the sampler has to do. */
void serve__listen_to_kernel(struct serve *s);

/* serve_store.c */
int serve__store(struct serve *s, struct err *e) MUST_USE;

/* serve_minds.c: free http with http_client_free() after the agent, and vertex_url. */
void serve__minds(struct serve_minds *s, const struct config *c, struct loop *loop);

/* Free with ears_free() before http. */
struct ears *serve__ears(const struct config *c, struct loop *loop, struct http_client *http);

/* serve_safety.c: what the rules have to know: our own secrets, and the moderation endpoint. */
void serve__safety(struct serve *s);

/* serve_http.c */
int serve__http(struct serve *s, struct err *e) MUST_USE;
/* The one line that scripts and people wait for: "maya: listening on http://..." */
void serve__say_address(const char *host, int port);
int serve__tell(struct serve *s, struct err *e) MUST_USE; /* the agent check, where wanted */

/* serve_voice.c: what of the configuration Cartesia needs. `http` must outlive the voice. */
void serve__cartesia(struct voice_cfg *cfg, const struct config *c, struct http_client *http);
