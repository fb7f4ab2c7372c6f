/*
 * GET /readyz: may new work be sent here? To the gateway, who has found the container up (its
 * X-Haproxy-Server-State says so), that is no news: its answer is kept back until it is, or
 * for some time. So a gateway always has a question open, and hears at once of a container
 * that stops, or is killed, since with the process ends the connection.
 */
#include "api/api_int.h"
#include "ops/ops.h"

#include <stdlib.h>
#include <string.h>

#define HOLD_TICKS 30 /* 3 s; gateway/config.c waits twice as long */
#define HELD_MAX 64   /* more are answered as they come */

struct held {
    struct api_call call;
    struct api *api;
    struct http_req *req;
    struct list link; /* api->ready.held, the oldest first */
    unsigned until;   /* in ticks */
};

static void answer(struct api *a, struct http_req *req)
{
    struct buf body = BUF_INIT;
    int status = ops_ready(a->cfg.ops, &body);

    http_header(req, "Cache-Control", "no-store");
    api__answer_buf(req, status, API_JSON, &body);
    buf_release(&body);
}

static void forget(struct held *h)
{
    list_remove(&h->link);
    h->api->ready.count--;
}

static void on_gone(void *ctx, struct http_req *req)
{
    struct held *h = ctx;

    (void)req;
    forget(h);
    free(h);
}

static void let_go(struct held *h)
{
    forget(h);
    answer(h->api, h->req);
    free(h);
}

static bool ready(const struct api *a)
{
    struct buf body = BUF_INIT;
    bool yes = ops_ready(a->cfg.ops, &body) == 200;

    buf_release(&body);
    return yes;
}

/* "UP; name=...", or "UP 2/3; name=..." while some checks have failed. */
static bool is_up(const struct http_req *req)
{
    struct str state = http_req_header(req, "x-haproxy-server-state");

    return state.len > 2 && memcmp(state.data, "UP", 2) == 0 && strchr("; ", state.data[2]);
}

void api__ready_init(struct api *a)
{
    list_init(&a->ready.held);
}

void api__ready_tick(struct api *a)
{
    bool still = a->ready.count && ready(a);

    a->ready.ticks++;
    while (!list_empty(&a->ready.held)) {
        struct held *h = LIST_ITEM(a->ready.held.next, struct held, link);
        if (still && (int)(h->until - a->ready.ticks) > 0)
            break;
        let_go(h);
    }
}

void api__readyz(struct api *a, struct http_req *req)
{
    bool hold = is_up(req) && a->ready.count < HELD_MAX && ready(a);
    struct held *h = hold ? malloc(sizeof(*h)) : NULL;

    if (!h) {
        answer(a, req);
        return;
    }
    *h = (struct held){
        .call = {ROUTE_READYZ}, .api = a, .req = req, .until = a->ready.ticks + HOLD_TICKS};
    list_append(&a->ready.held, &h->link);
    a->ready.count++;
    http_req_set_ctx(req, h);
    http_req_on_gone(req, on_gone);
}
