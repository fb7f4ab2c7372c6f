/*
 * Sessions on a fake store, with time as an argument: who opens one, speaks in it and commits.
 * The agent of these tests keeps one number.
 */
#pragma once

#include "unit/session/sealed.h"
#include "unit/tap.h"

#include "base/log.h"
#include "base/wire.h"
#include "seal/seal.h"
#include "session/session_int.h"

#define MIB (1024.0 * 1024.0)

static int64_t now_s = 1000000;

static void *state_make(struct region *r)
{
    return region_alloc(r, sizeof(uint64_t));
}

static void state_encode(const void *state, struct buf *out)
{
    wire_put_uint(out, *(const uint64_t *)state);
}

static void *state_decode(struct region *r, const void *data, size_t len, struct err *e)
{
    uint64_t *n = region_alloc(r, sizeof(*n));
    struct wire w = wire_read(data, len);

    if (n)
        *n = wire_uint(&w);
    if (!n || w.bad) {
        err_set(e, ERR_CORRUPT, 0, "not a number");
        return NULL;
    }
    return n;
}

static const struct session_state_ops state_ops = {state_make, state_encode, state_decode};

static struct session_table *table_with(size_t budget, uint32_t max)
{
    struct session_cfg cfg = {
        .budget = budget,
        .max_resident = max,
        .expiry_s = 3600,
        .hibernate_s = 300,
        .max_waiters = 4,
        .policy = SESSION_RESERVED,
        .threshold = 0.8,
        .state_ops = &state_ops,
        .seal = the_seal,
        .seed = 7,
    };
    struct session_table *t;
    struct err e;

    fake_clear();
    CHECK(session_table_new(&cfg, &t, &e) == 0);
    return t;
}

struct waiter {
    struct session_wait wait;
    struct session *s;
    int calls;
    enum err_code code;
};

static void on_test_ready(struct session_wait *w, struct session *s, const struct err *e)
{
    struct waiter *me = LIST_ITEM(w, struct waiter, wait);

    me->calls++;
    me->s = s;
    me->code = e ? e->code : ERR_NONE;
}

static void ask(struct session_table *t, const char *id, enum session_mode mode,
                struct waiter *w)
{
    *w = (struct waiter){.wait = {.ready = on_test_ready}};
    session_open(t, id, mode, now_s, &w->wait);
}

struct commit_result {
    int calls;
    enum err_code code;
};

static void on_test_commit(void *ctx, const struct err *e)
{
    struct commit_result *r = ctx;

    r->calls++;
    r->code = e ? e->code : ERR_NONE;
}

/* Say something and commit it; the error code. The session stays held. */
static enum err_code turn(struct session *s, const char *person, const char *maya)
{
    struct commit_result r = {0};
    struct err e = {.code = ERR_NONE};

    if (!session_say(s, str_of(person), str_of(maya)))
        return ERR_SESSION_MEMORY;
    if (session_commit(s, now_s, on_test_commit, &r, &e) < 0)
        return e.code;
    CHECK_INT(r.calls, 0);
    fake_reap();
    CHECK_INT(r.calls, 1);
    return r.code;
}

/* What the agent does before each turn: fold when it is due, here with a summary of one line.
 */
static inline int fold(struct session *s, struct err *e)
{
    char line[64];
    uint32_t count;

    if (!session_fold_due(s, &count))
        return 0;
    snprintf(line, sizeof(line), "%u were folded", s->folded_count + count);
    return session_fold(s, count, str_of(line), e);
}

static inline void make(struct session_table *t, const char *id)
{
    struct waiter w;

    ask(t, id, SESSION_CREATE, &w);
    CHECK(w.s != NULL);
    if (!w.s)
        return;
    CHECK_INT(turn(w.s, "hello", "evening"), ERR_NONE);
    session_leave(w.s);
}
