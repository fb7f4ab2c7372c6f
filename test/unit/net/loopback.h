/* What the tests of our client share: our own server beside it, on one loop. */
#pragma once

#include "net/net.h"
#include "unit/tap.h"

/* Deadlines count while this process stands still, too: a long one where a case is about
 * another, and so many tries of a case that proves nothing when a short one passed so. */
#define PATIENCE_MS 600000
#define TRIES 20

static struct {
    struct loop *loop;
    struct http_server *server;
    struct http_client *client;
    int port;
} local;

static void local_begin(void (*on_request)(void *ctx, struct http_req *req),
                        void (*on_answer)(void *ctx, struct http_req *req, int status))
{
    struct err e = {0};
    const struct http_cfg cfg = {.host = "127.0.0.1",
                                 .inherited_fd = -1,
                                 .backlog = 16,
                                 .max_head = 8192,
                                 .max_body = 1 << 20,
                                 .max_conns = 16,
                                 .max_queued = 1 << 20,
                                 .head_ms = PATIENCE_MS,
                                 .idle_ms = PATIENCE_MS,
                                 .body_ms = PATIENCE_MS,
                                 .write_ms = PATIENCE_MS,
                                 .on_request = on_request,
                                 .on_answer = on_answer};

    CHECK_INT(loop_new(&local.loop, &e), 0);
    CHECK_INT(http_server_new(local.loop, &cfg, &local.server, &e), 0);
    local.client = http_client_new(local.loop, &(struct http_client_cfg){0});
    local.port = http_server_port(local.server);
}

static void local_end(void)
{
    http_client_free(&local.client);
    http_server_free(&local.server);
    loop_free(&local.loop);
}

static void on_tick(void *ctx)
{
    (void)ctx;
    loop_stop(local.loop);
}

/* Let the loop turn so often. */
static void turn(int times)
{
    for (int i = 0; i < times; i++) {
        struct loop_timer *tick = loop_after(local.loop, 1, on_tick, NULL);
        loop_run(local.loop);
        loop_timer_free(&tick);
    }
}

/* Until `fn` has something to see, or 10 s have gone in which this process ran. */
static void turn_until(bool (*fn)(void))
{
    for (int i = 0; i < 10000 && !fn(); i++)
        turn(1);
    CHECK(fn());
}
