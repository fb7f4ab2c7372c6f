/* A bar with a mind that repeats, a store that answers when told, and no socket. */
#pragma once

#include "unit/api/fake_http.h"
#include "unit/session/sealed.h"
#include "unit/tap.h"

#include "agent/agent_int.h"
#include "base/log.h"
#include "memory/memory.h"
#include "seal/seal.h"
#include "session/session_int.h"

static int64_t bar_ms = 1000, bar_s = 1000000;
static struct agent *bar_agent;
static struct session_table *bar_sessions;
static struct api *bar_api;
static const char *bar_token; /* the operator's */

#define SAID "Mr. Smith pays $13.00. \xC3\x89t voil\xC3\xA0! And the rest"

/* Says SAID five bytes and a character's rest at a time; orders on "order", fails on "fail". */
static void repeat_start(struct mind *m, struct mind_turn *turn, const struct mind_sink *sink,
                         struct mind_call **ret)
{
    json_t *args, *result;
    struct err e;

    (void)m;
    *ret = NULL;
    if (str_eq(turn->text, "order")) {
        args = json_pack("{s:s, s:i}", "item_name", "Negroni", "quantity", 1);
        if (sink->call_tool(sink->ctx, "add_to_order", args, &result) == 0)
            json_decref(result);
        json_decref(args);
    }
    for (size_t at = 0, n; at < strlen(SAID); at += n) {
        n = strlen(SAID) - at < 5 ? strlen(SAID) - at : 5;
        while ((SAID[at + n] & 0xC0) == 0x80)
            n++;
        sink->text(sink->ctx, &SAID[at], n);
    }
    if (!str_eq(turn->text, "fail")) {
        sink->done(sink->ctx);
        return;
    }
    err_set(&e, ERR_MIND, 0, "told to fail");
    sink->fail(sink->ctx, &e);
}

static void repeat_free(struct mind *m)
{
    (void)m;
}

static const struct mind_ops repeat_ops = {
    .name = "repeat", .start = repeat_start, .free = repeat_free};
static struct mind repeat_mind = {&repeat_ops};

static int64_t bar_now_ms(void *ctx)
{
    (void)ctx;
    return bar_ms;
}

static int64_t bar_now_s(void *ctx)
{
    (void)ctx;
    return bar_s;
}

/* The loop's, as far as api/ asks for it. */
int64_t loop_unix_s(void)
{
    return bar_s;
}

static uint64_t bar_now_ns(void)
{
    return 0;
}

static void open_bar(uint32_t session_rate)
{
    const struct agent_cfg cfg = {.folder = "agents/maya",
                                  .session_rate = session_rate,
                                  .now_ms = bar_now_ms,
                                  .now_s = bar_now_s,
                                  .now_ns = bar_now_ns};
    const struct session_cfg session_cfg = {.budget = 65536,
                                            .max_resident = 3,
                                            .expiry_s = 3600,
                                            .hibernate_s = 300,
                                            .max_waiters = 4,
                                            .threshold = 0.8,
                                            .state_ops = agent_state_ops(),
                                            .seal = the_seal};
    struct err e;

    fake_clear();
    if (agent_load(&cfg, &bar_agent, &e) < 0 ||
        session_table_new(&session_cfg, &bar_sessions, &e) < 0) {
        printf("Bail out! %s\n", e.msg);
        exit(1);
    }
    mind_free(&bar_agent->mind);
    bar_agent->mind = &repeat_mind;
    agent_set_sessions(bar_agent, bar_sessions);
    const struct api_cfg api_cfg = {.agent = bar_agent,
                                    .sessions = bar_sessions,
                                    .allow_origins = "",
                                    .admin_token = bar_token,
                                    .expiry_s = 3600,
                                    .now_s = bar_now_s};
    bar_api = api_new(&api_cfg);
}

static void close_bar(void)
{
    for (int i = 0; i < 20; i++)
        fake_reap();
    CHECK_INT(fake.queued, 0);
    CHECK_INT(agent_stats(bar_agent)->turns_now, 0);
    api_free(&bar_api);
    bar_agent->mind = NULL;
    session_table_free(&bar_sessions);
    agent_free(&bar_agent);
}

/* Ask as session `id` (NULL: none), and let the store answer. */
static inline void ask(enum http_method method, const char *path, const char *query,
                       const char *id, const char *body, struct answer *to)
{
    struct http_req *r = fake_request(method, path, query, body, strlen(body));

    if (id)
        fake_header(r, "x-session-id", id);
    fake_send(bar_api, r, to);
    fake_reap();
}
