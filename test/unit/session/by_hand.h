/* A session table on a fake store, sessions with a turn or more, and who ends them by hand. */
#pragma once

#include "unit/session/sealed.h"
#include "unit/tap.h"

#include "base/log.h"
#include "seal/seal.h"
#include "session/session_int.h"

#define NOW 1000000

/* The agent of these tests keeps nothing. */
static void *state_make(struct region *r)
{
    return region_alloc(r, 1);
}

static void state_encode(const void *state, struct buf *out)
{
    (void)state;
    buf_char(out, 'x');
}

static void *state_decode(struct region *r, const void *data, size_t len, struct err *e)
{
    (void)data;
    (void)len;
    (void)e;
    return region_alloc(r, 1);
}

static const struct session_state_ops state_ops = {state_make, state_encode, state_decode};

static struct session_table *table_with(uint32_t max)
{
    const struct session_cfg cfg = {.budget = 65536,
                                    .max_resident = max,
                                    .expiry_s = 3600,
                                    .hibernate_s = 300,
                                    .max_waiters = 4,
                                    .threshold = 0.8,
                                    .state_ops = &state_ops,
                                    .seal = the_seal,
                                    .seed = 7};
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

static void on_ready(struct session_wait *w, struct session *s, const struct err *e)
{
    struct waiter *me = LIST_ITEM(w, struct waiter, wait);

    me->calls++;
    me->s = s;
    me->code = e ? e->code : ERR_NONE;
}

static void ask(struct session_table *t, const char *id, int64_t now_s, struct waiter *w)
{
    *w = (struct waiter){.wait = {.ready = on_ready}};
    session_open(t, id, SESSION_CREATE, now_s, &w->wait);
}

static void on_commit(void *ctx, const struct err *e)
{
    *(enum err_code *)ctx = e ? e->code : ERR_NONE;
}

/* A session with one turn of so many bytes, made and used then. */
static void make(struct session_table *t, const char *id, size_t bytes, int64_t now_s)
{
    static const char text[4096] = "";
    enum err_code code = ERR_INTERNAL;
    struct waiter w;
    struct err e;

    ask(t, id, now_s, &w);
    MUST(w.s && session_say(w.s, (struct str){text, bytes}, str_of("evening")));
    CHECK(session_commit(w.s, now_s, on_commit, &code, &e) == 0);
    fake_reap();
    CHECK_INT(code, ERR_NONE);
    session_leave(w.s);
}
