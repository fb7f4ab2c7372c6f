/* The address that is listened on, and the bounds of those who come. */
#include "cli/serve_int.h"

#include "api/api.h"
#include "config/config.h"
#include "ops/ops.h"

#include <stdio.h>
#include <string.h>

#define MAX_HEAD (16 * 1024)
#define MAX_QUEUED (1024 * 1024)                /* of one reader */
#define LEAST_QUEUED ((size_t)16 * 1024 * 1024) /* of all readers */
#define WRITE_STALL_MS 30000
#define LAST_MS 500 /* for what was on its way when a stop began */

/*
 * Bodies that are still arriving belong to no session yet, so they get a share of the memory
 * of their own: a 32nd of the limit, and always room for two.
 */
static size_t most_bodies(const struct serve *s)
{
    size_t two = 2 * (size_t)config_int(s->config, C_MAX_BODY);

    return s->limit / 32 > two ? s->limit / 32 : two;
}

/* The same for what waits for readers that are slow. */
static size_t most_queued(const struct serve *s)
{
    return s->limit / 32 > LEAST_QUEUED ? s->limit / 32 : LEAST_QUEUED;
}

static void on_deaf(void *ctx)
{
    struct serve *s = ctx;

    /* The one that comes after us has our ports, and tells the gateway of its own room. */
    if (s->handed.parent >= 0)
        net_tell_free(&s->tell);
    reload__say(&s->handed, RELOAD_DEAF);
}

int serve__http(struct serve *s, struct err *e)
{
    const struct config *c = s->config;
    const struct http_cfg cfg = {
        .host = config_text(c, C_HOST),
        .port = (int)config_int(c, C_PORT),
        .inherited_fd = s->handed.listener,
        .backlog = 1024,
        .max_head = MAX_HEAD,
        .max_body = (size_t)config_int(c, C_MAX_BODY),
        .max_bodies = most_bodies(s),
        .max_conns = (uint32_t)config_int(c, C_MAX_CONNS),
        .max_queued = MAX_QUEUED,
        .max_queued_all = most_queued(s),
        .head_ms = serve__ms(c, C_HEAD_TIMEOUT_S),
        .idle_ms = serve__ms(c, C_IDLE_TIMEOUT_S),
        .body_ms = serve__ms(c, C_BODY_TIMEOUT_S),
        .write_ms = WRITE_STALL_MS,
        .last_ms = LAST_MS,
        .on_request = api_on_request,
        .on_answer = api_on_answer,
        .ctx = s->api,
        .on_deaf = on_deaf,
        .deaf_ctx = s,
    };

    if (http_server_new(s->loop, &cfg, &s->http, e) < 0)
        return -1;
    ops_set_http(s->ops, s->http);
    return 0;
}

int serve__tell(struct serve *s, struct err *e)
{
    const char *host = config_text(s->config, C_HOST);
    int port = (int)config_int(s->config, C_AGENT_CHECK_PORT);

    if (port == 0)
        return 0;
    if (strncmp(host, "unix:", 5) == 0)
        host = "localhost";
    return net_tell_new(s->loop, host, port, ops_tell, s->ops, &s->tell, e);
}

void serve__say_address(const char *host, int port)
{
    bool any = strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;

    if (strncmp(host, "unix:", 5) == 0)
        printf("maya: listening on %s\n", host);
    else
        printf(strchr(any ? "" : host, ':') ? "maya: listening on http://[%s]:%d\n"
                                            : "maya: listening on http://%s:%d\n",
               any ? "127.0.0.1" : host, port);
    fflush(stdout);
}
