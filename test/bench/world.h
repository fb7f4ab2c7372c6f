/*
 * What the benchmarks in C share: the real table, SQLite store, seal and agent with its house
 * mind, in a folder of their own and in virtual time. Turns are started by the dozen and waited
 * for together, as the loop would, so that one commit makes many durable.
 */
#pragma once

#include "agent/agent.h"
#include "base/alloc.h"
#include "bench/args.h"
#include "memory/memory.h"
#include "seal/seal.h"
#include "session/session.h"
#include "unit/store/fixture.h"

#include <limits.h>
#include <time.h>

#define WORLD_SLOTS 64

struct world;

struct world_slot { /* a turn on its way; its text lives here */
    struct world *world;
    struct turn *turn;
    bool taken;
    char text[256];
};

struct world {
    struct owner owner;
    char agent_folder[PATH_MAX];
    struct seal *seal;
    struct agent *agent;
    struct session_table *table;
    int64_t now_s;
    unsigned running;
    uint64_t turns, failed;
    char why[240]; /* of the last failure */
    struct world_slot slots[WORLD_SLOTS];
};

struct world_cfg {
    size_t budget;
    uint32_t max_resident;
    int64_t hibernate_s;
};

static inline uint64_t world_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline int64_t world_ms(void *ctx)
{
    const struct world *w = ctx;

    return w->now_s * 1000;
}

static inline int64_t world_s(void *ctx)
{
    const struct world *w = ctx;

    return w->now_s;
}

/* With owner.path set; `data_dir` gets the key. */
static inline void world_meet(struct world *w, const struct world_cfg *cfg,
                              const char *data_dir)
{
    const struct agent_cfg agent_cfg = {.folder = w->agent_folder,
                                        .seed = 20240223,
                                        .now_ms = world_ms,
                                        .now_s = world_s,
                                        .now_ns = world_ns,
                                        .clock_ctx = w};
    struct session_cfg session_cfg = {.budget = cfg->budget,
                                      .max_resident = cfg->max_resident,
                                      .expiry_s = 365 * 86400,
                                      .hibernate_s = cfg->hibernate_s,
                                      .max_waiters = 8,
                                      .policy = SESSION_MEASURED,
                                      .threshold = 0.8,
                                      .state_ops = agent_state_ops(),
                                      .seed = 20240223};
    static bool json_ready;
    struct err e = {0};

    log_setup(LOG_WARN, false);
    if (!json_ready)
        json_region_setup();
    json_ready = true;
    if (seal_new(NULL, data_dir, NULL, &w->seal, &e) < 0)
        bench_stop("the key", e.msg);
    if (owner_open(&w->owner) < 0)
        bench_stop("the store", w->owner.err.msg);
    session_cfg.store = w->owner.store;
    session_cfg.seal = w->seal;
    if (agent_load(&agent_cfg, &w->agent, &e) < 0 ||
        session_table_new(&session_cfg, &w->table, &e) < 0)
        bench_stop("the bar", e.msg);
    agent_set_sessions(w->agent, w->table);
    for (int i = 0; i < WORLD_SLOTS; i++)
        w->slots[i].world = w;
}

/* In a new folder below `folder`. */
static inline void world_open(struct world *w, const struct world_cfg *cfg, const char *folder,
                              const char *agent_folder)
{
    *w = (struct world){.now_s = 1700000000};
    if (!realpath(agent_folder, w->agent_folder))
        bench_stop("no agent folder", agent_folder);
    owner_settle(&w->owner, folder);
    world_meet(w, cfg, w->owner.folder);
}

/* All that is owned but the folder. */
static inline void world_part(struct world *w)
{
    store_close(&w->owner.store);
    session_table_free(&w->table);
    agent_free(&w->agent);
    seal_free(&w->seal);
}

static inline void world_close(struct world *w)
{
    world_part(w);
    owner_release(&w->owner);
}

static inline void world_opened(void *ctx, const struct session *s, uint32_t turn)
{
    (void)ctx;
    (void)s;
    (void)turn;
}

static inline void world_text(void *ctx, const char *data, size_t len)
{
    (void)ctx;
    (void)data;
    (void)len;
}

static inline void world_ended(struct world_slot *slot)
{
    slot->taken = false;
    slot->world->running--;
}

static inline void world_done(void *ctx, const struct turn_done *d)
{
    struct world_slot *slot = ctx;

    (void)d;
    slot->world->turns++;
    world_ended(slot);
}

static inline void world_fail(void *ctx, const struct session *s, const struct err *e)
{
    struct world_slot *slot = ctx;

    (void)s;
    slot->world->failed++;
    str_copy(slot->world->why, sizeof(slot->world->why), e->msg);
    world_ended(slot);
}

static inline void world_wait(struct world *w)
{
    while (w->running)
        owner_turn(&w->owner);
}

/* A turn that must work: all of a run have the same fault, so the first one ends it. */
static inline void world_say(struct world *w, const char *id, const char *text)
{
    struct world_slot *slot = w->slots;

    while (w->running == WORLD_SLOTS)
        owner_turn(&w->owner);
    while (slot->taken)
        slot++;
    str_copy(slot->text, sizeof(slot->text), text);
    slot->taken = true;
    w->running++;
    const struct turn_sink sink = {slot, world_opened, world_text, world_done, world_fail};
    const struct turn_request req = {.session_id = id,
                                     .text = str_of(slot->text),
                                     .charge = strlen(slot->text),
                                     .started_ns = world_ns()};
    turn_start(w->agent, &req, &sink, &slot->turn);
    if (w->failed)
        bench_stop("a turn failed", w->why);
}

/* Until nobody is in memory. */
static inline void world_hibernate(struct world *w, int64_t idle_s)
{
    struct session_stats st;

    w->now_s += idle_s + 1;
    do {
        session_tick(w->table, w->now_s);
        session_stats(w->table, &st);
    } while (st.resident);
}

/* Ten things one says in an evening; a session begins somewhere among them. */
static inline const char *world_line(uint64_t n)
{
    static const char *const lines[] = {
        "hello there",
        "what is on the menu?",
        "two dry martinis please",
        "and an ipa",
        "how much is a negroni?",
        "make that two",
        "something strong, please",
        "what do I owe you?",
        "take the ipa off again",
        "leave a 15% tip",
    };

    return lines[n % ARRAY_LEN(lines)];
}
