/*
 * An hour at the bar in virtual time: the real table and the real SQLite store, a hot set that
 * talks steadily, a long tail that comes back now and then (rank by Zipf's law), hibernation,
 * expiry, and a container whose memory is the table's own sum and a footprint. Every answer is
 * compared with what was acknowledged before: a session is as it was left, or it has expired
 * and begins anew. In the end all are looked at from a second table, as after a kill -9.
 */
#pragma once

#include "base/alloc.h"
#include "memory/memory.h"
#include "seal/seal.h"
#include "session/session.h"
#include "unit/store/fixture.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOUR_BASE_S 1700000000
#define HOUR_SAMPLES 4 /* a virtual second: the memory is sampled and the table ticks */

#define HOUR_BEGINS_S 1700000000
#define HOUR_SAMPLES 4 /* in a virtual second the memory is sampled and the table ticks */
#define HOUR_THRESHOLD 0.8

struct hour_cfg {
    uint32_t hot, cold;   /* sessions */
    uint32_t hot_every_s; /* each of the hot ones talks once in this time */
    uint32_t cold_per_s;  /* turns of the tail; at first each of it comes once */
    uint32_t seconds;     /* of virtual time */
    int64_t hibernate_s, expiry_s;
    enum session_policy policy;
    size_t budget;
    uint64_t limit, footprint; /* bytes of the container, and of the process without sessions */
    const char *folder;        /* the store is made below it */
};

struct hour_result {
    uint64_t turns, refused, over_limit, lost;
    uint64_t alive, peak_resident, peak_used; /* the most there ever were */
    struct session_stats stats;
};

struct hour_guest { /* what was acknowledged of one session */
    uint32_t turns;
    int64_t used_s;
    bool busy;
};

struct hour {
    struct hour_cfg cfg;
    struct hour_result r;
    struct owner owner;
    struct seal *seal;
    struct session_table *table;
    struct pressure pressure;
    struct hour_guest *guests; /* hot ones first */
    int64_t now_s;
    unsigned running;
    uint32_t greeted; /* of the tail */
    uint64_t dice;
};

struct hour_turn {
    struct session_wait wait;
    struct hour *hour;
    struct session *session;
    uint32_t guest;
};

/* The agent's state: the number of the last turn. */

static void *hour_make(struct region *r)
{
    return region_alloc(r, sizeof(uint32_t));
}

static void hour_encode(const void *state, struct buf *out)
{
    buf_add(out, state, sizeof(uint32_t));
}

static void *hour_decode(struct region *r, const void *data, size_t len, struct err *e)
{
    if (len == sizeof(uint32_t))
        return region_dup(r, data, len);
    err_set(e, ERR_CORRUPT, 0, "not a number");
    return NULL;
}

static struct session_table *hour_table(const struct hour *h, uint32_t max_resident)
{
    static const struct session_state_ops ops = {hour_make, hour_encode, hour_decode};
    const struct session_cfg cfg = {.budget = h->cfg.budget,
                                    .max_resident = max_resident,
                                    .expiry_s = h->cfg.expiry_s,
                                    .hibernate_s = h->cfg.hibernate_s,
                                    .max_waiters = 4,
                                    .policy = h->cfg.policy,
                                    .threshold = HOUR_THRESHOLD,
                                    .state_ops = &ops,
                                    .store = h->owner.store,
                                    .seal = h->seal,
                                    .seed = 20240223};
    struct session_table *t = NULL;
    struct err e;

    if (session_table_new(&cfg, &t, &e) < 0)
        printf("# %s\n", e.msg);
    MUST(t);
    return t;
}

/* What guest `guest` says in turn `turn`. */
static struct str hour_text(uint32_t guest, uint32_t turn)
{
    static char text[256];
    size_t len = 32 + (guest * 31u + turn * 97u) % 200;

    memset(text, 'a' + (int)((guest + turn) % 26), len);
    int n = snprintf(text, 32, "%u says %u", guest, turn);
    text[n] = ' ';
    return (struct str){text, len};
}

static const char *hour_id(uint32_t guest)
{
    static char id[32];

    snprintf(id, sizeof(id), "sess_hour-%011u", guest);
    return id;
}

/* Is the session as it was left? NULL: there is none. */
static bool hour_intact(const struct hour *h, uint32_t guest, const struct session *s)
{
    const struct hour_guest *g = &h->guests[guest];
    struct str want = hour_text(guest, g->turns);

    if (g->turns == 0 || h->now_s - g->used_s > h->cfg.expiry_s)
        return !s || (s->turns == 0 && !s->first);
    return s && s->turns == g->turns && memcmp(s->agent, &g->turns, sizeof(g->turns)) == 0 &&
           s->last && s->last->len == want.len &&
           memcmp(s->last->text, want.data, want.len) == 0;
}

static void hour_lost(struct hour *h, uint32_t guest, const struct session *s, const char *why)
{
    if (h->r.lost++ < 5)
        printf("# second %lld, guest %u: %s; %u turns acknowledged %lld s ago, %d there\n",
               (long long)(h->now_s - HOUR_BEGINS_S), guest, why, h->guests[guest].turns,
               (long long)(h->now_s - h->guests[guest].used_s), s ? (int)s->turns : -1);
}

/* The kernel would kill the process at its limit, not a sample later. */
static uint64_t hour_used(struct hour *h)
{
    struct session_stats st;

    session_stats(h->table, &st);
    uint64_t used = h->cfg.footprint + st.used;
    h->r.over_limit += used > h->cfg.limit;
    if (used > h->r.peak_used)
        h->r.peak_used = used;
    if (st.resident > h->r.peak_resident)
        h->r.peak_resident = st.resident;
    return used;
}

static void hour_end(struct hour_turn *t)
{
    t->hour->guests[t->guest].busy = false;
    t->hour->running--;
    free(t);
}

static void hour_committed(void *ctx, const struct err *e)
{
    struct hour_turn *t = ctx;
    struct hour *h = t->hour;

    if (e) {
        hour_lost(h, t->guest, t->session, e->msg);
        session_revert(t->session, h->now_s);
    } else {
        h->r.turns++;
        h->guests[t->guest].turns = t->session->turns;
        h->guests[t->guest].used_s = h->now_s;
        session_leave(t->session);
    }
    hour_end(t);
}

static bool hour_speak(struct hour_turn *t, struct session *s, struct err *e)
{
    struct hour *h = t->hour;
    uint32_t gone;

    if (session_fold_due(s, &gone) && session_fold(s, gone, (struct str){"", 0}, e) < 0)
        return false;
    uint32_t turn = s->turns + 1;
    struct str text = hour_text(t->guest, turn);
    memcpy(s->agent, &turn, sizeof(turn));
    if (!session_say(s, text, text)) {
        err_set(e, ERR_SESSION_MEMORY, 0, "no room for a turn");
        return false;
    }
    return session_commit(s, h->now_s, hour_committed, t, e) == 0;
}

static void hour_ready(struct session_wait *w, struct session *s, const struct err *refused)
{
    struct hour_turn *t = LIST_ITEM(w, struct hour_turn, wait);
    struct hour *h = t->hour;
    struct err e;

    if (!s) {
        bool ordinary = refused->code == ERR_SESSION_LIMIT ||
                        refused->code == ERR_MEMORY_PRESSURE ||
                        refused->code == ERR_INSUFFICIENT_MEMORY;
        h->r.refused++;
        if (!ordinary)
            hour_lost(h, t->guest, s, refused->msg);
        hour_end(t);
        return;
    }
    t->session = s;
    if (!hour_intact(h, t->guest, s))
        hour_lost(h, t->guest, s, "not as it was left");
    if (!hour_speak(t, s, &e)) {
        hour_lost(h, t->guest, s, e.msg);
        session_revert(s, h->now_s);
        hour_end(t);
    }
    hour_used(h);
}

static void hour_talk(struct hour *h, uint32_t guest)
{
    if (h->guests[guest].busy)
        return; /* one says one thing at a time */
    struct hour_turn *t = xalloc(sizeof(*t));
    *t = (struct hour_turn){.wait.ready = hour_ready, .hour = h, .guest = guest};
    h->guests[guest].busy = true;
    h->running++;
    session_open(h->table, hour_id(guest), SESSION_CREATE, h->now_s, &t->wait);
}

/* Everybody of the tail once, in order; then by Zipf's law. */
static uint32_t hour_who(struct hour *h)
{
    if (h->greeted < h->cfg.cold)
        return h->cfg.hot + h->greeted++;
    h->dice = h->dice * 6364136223846793005u + 1442695040888963407u;
    double even = (double)(h->dice >> 11) / 9007199254740992.0;
    return h->cfg.hot + (uint32_t)pow((double)h->cfg.cold, even) - 1;
}

static struct memory_sample hour_look(struct hour *h)
{
    return (struct memory_sample){.limit = h->cfg.limit, .used = hour_used(h), .known = true};
}

/* As the sampler does: what can be given up is given up before anyone is refused. */
static void hour_sample(struct hour *h, int64_t now_ms)
{
    struct memory_sample m = hour_look(h);

    enum pressure_rung rung = pressure_reached(&h->pressure, &m);

    if (rung >= PRESSURE_HIBERNATE) {
        session_hibernate(h->table, h->now_s, pressure_excess(&h->pressure, &m),
                          rung == PRESSURE_UNHEALTHY);
        m = hour_look(h);
    }
    (void)pressure_update(&h->pressure, &m, now_ms);
    session_table_memory(h->table, &m, h->cfg.footprint, h->pressure.rung >= PRESSURE_REFUSE);
    session_tick(h->table, h->now_s);
}

static void hour_second(struct hour *h, uint32_t second)
{
    h->now_s = HOUR_BEGINS_S + second;
    for (uint32_t part = 0; part < HOUR_SAMPLES; part++) {
        hour_sample(h, h->now_s * 1000 + part * 1000 / HOUR_SAMPLES);
        for (uint32_t i = second % h->cfg.hot_every_s; i < h->cfg.hot; i += h->cfg.hot_every_s)
            if (i / h->cfg.hot_every_s % HOUR_SAMPLES == part)
                hour_talk(h, i);
        for (uint32_t i = part; i < h->cfg.cold_per_s; i += HOUR_SAMPLES)
            hour_talk(h, hour_who(h));
    }
    if (second % 60 == 59)
        session_cleanup(h->table, h->now_s);
    owner_drain(&h->owner);
    MUST(h->running == 0);
}

static void hour_count_alive(struct hour *h)
{
    uint64_t alive = 0;

    for (uint32_t i = 0; i < h->cfg.hot + h->cfg.cold; i++)
        alive += h->guests[i].turns && h->now_s - h->guests[i].used_s <= h->cfg.expiry_s;
    if (alive > h->r.alive)
        h->r.alive = alive;
}

static void hour_looked(struct session_wait *w, struct session *s, const struct err *e)
{
    struct hour_turn *t = LIST_ITEM(w, struct hour_turn, wait);

    if (e || !hour_intact(t->hour, t->guest, s))
        hour_lost(t->hour, t->guest, s, e ? e->msg : "not there in the end");
    if (s)
        session_leave(s);
}

/* In memory is nobody any more: what the store has must be all that was acknowledged. */
static void hour_look_at_all(struct hour *h)
{
    session_table_free(&h->table);
    h->table = hour_table(h, UINT32_MAX);
    for (uint32_t i = 0; i < h->cfg.hot + h->cfg.cold; i++) {
        struct hour_turn t = {.wait.ready = hour_looked, .hour = h, .guest = i};
        session_open(h->table, hour_id(i), SESSION_LOOK, h->now_s, &t.wait);
        h->now_s += i % 1024 == 0; /* so that a tick may hibernate those already seen */
        session_tick(h->table, h->now_s + h->cfg.hibernate_s);
    }
}

static struct hour_result hour_run(const struct hour_cfg *cfg)
{
    struct hour h = {.cfg = *cfg, .dice = 20240223, .now_s = HOUR_BEGINS_S};
    struct err e;

    owner_settle(&h.owner, cfg->folder);
    if (owner_open(&h.owner) < 0 || seal_new(NULL, h.owner.folder, NULL, &h.seal, &e) < 0)
        printf("# %s\n", h.owner.store ? e.msg : h.owner.err.msg);
    MUST(h.owner.store && h.seal);
    h.table = hour_table(&h, UINT32_MAX);
    h.guests = xalloc((cfg->hot + cfg->cold) * sizeof(*h.guests));
    pressure_init(&h.pressure, HOUR_THRESHOLD);
    for (uint32_t second = 0; second < cfg->seconds; second++) {
        hour_second(&h, second);
        if (second % 60 == 0)
            hour_count_alive(&h);
    }
    session_stats(h.table, &h.r.stats);
    hour_look_at_all(&h);
    store_close(&h.owner.store);
    session_table_free(&h.table);
    seal_free(&h.seal);
    owner_release(&h.owner);
    free(h.guests);
    return h.r;
}
