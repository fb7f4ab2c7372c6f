/*
 * What an idle session weighs: every byte charged to it, by what it is for. Data is what
 * somebody said, ordered or chose; the rest is ours. A world (world.h) of sessions that had an
 * evening.
 */
#pragma once

#include "bar/bar.h"
#include "bench/world.h"
#include "mind/mind.h"

#include <malloc.h>

struct weight { /* bytes, of all sessions that were looked at */
    uint64_t sessions, used, data;
    uint64_t text, lines, state, id; /* the data */
    uint64_t structs;                /* struct session, malloc's header and all */
    uint64_t messages;               /* heads of messages, their ends, and rounding */
    uint64_t spare_lines;            /* room for more lines of the order */
    uint64_t chunks;                 /* heads of chunks, what lies behind the last allocation */
};

struct weighing {
    struct session_wait wait;
    struct weight *weight;
};

static inline uint64_t weight_rounded(uint64_t n)
{
    return (n + 15) & ~(uint64_t)15;
}

static inline void weight_on_look(struct session_wait *w, struct session *s,
                                  const struct err *e)
{
    struct weight *p = LIST_ITEM(w, struct weighing, wait)->weight;

    if (!s)
        bench_stop("a session is gone", e ? e->msg : "not there");
    const struct bar_tab *tab = agent_tab(s);
    uint64_t text = 0, messages = 0, state = sizeof(struct bar_tab) + sizeof(struct mind_memo);
    uint64_t lines = (uint64_t)tab->line_count * sizeof(*tab->lines);
    uint64_t cap = (uint64_t)tab->line_cap * sizeof(*tab->lines);
    uint64_t id = strlen(s->id), whole = malloc_usable_size(s) + sizeof(size_t);

    for (const struct session_message *m = s->first; m; m = m->next) {
        text += m->len;
        messages += weight_rounded(offsetof(struct session_message, text) + m->len + 1);
    }
    p->sessions++;
    p->used += s->budget.used;
    p->text += text;
    p->lines += lines;
    p->state += state;
    p->id += id;
    p->data += text + lines + state + id;
    p->structs += whole - id - region_lent(&s->region);
    p->messages += messages - text;
    p->spare_lines += cap - lines;
    p->chunks += s->region.held - messages - cap - state;
    session_leave(s);
}

static inline const char *weight_id(uint64_t i)
{
    static char id[32];

    snprintf(id, sizeof(id), "sess_bench%011llu", (unsigned long long)i);
    return id;
}

static inline void weight_talk(struct world *w, uint64_t from, uint64_t to, uint64_t turns)
{
    for (uint64_t turn = 0; turn < turns; turn++) {
        for (uint64_t i = from; i < to; i++)
            world_say(w, weight_id(i), world_line(turn + i));
        world_wait(w);
    }
}

static inline struct weight weight_look(struct world *w, uint64_t sessions)
{
    struct weight p = {0};

    for (uint64_t i = 0; i < sessions; i++) {
        struct weighing l = {.wait.ready = weight_on_look, .weight = &p};
        agent_look(w->agent, weight_id(i), &l.wait);
    }
    return p;
}

/* Time in which nobody says anything; the table ticks as often as in the server. */
static inline void weight_rest(struct world *w, int64_t seconds)
{
    for (int64_t end = w->now_s + seconds; w->now_s < end; w->now_s++)
        for (int i = 0; i < 4; i++)
            session_tick(w->table, w->now_s);
}

/* One session that is told more than it can hold. */

struct glutton {
    unsigned done, refused;
};

struct glutton_look {
    struct session_wait wait;
    struct budget budget;
};

static inline void glutton_done(void *ctx, const struct turn_done *d)
{
    struct glutton *g = ctx;

    (void)d;
    g->done++;
}

static inline void glutton_fail(void *ctx, const struct session *s, const struct err *e)
{
    struct glutton *g = ctx;

    (void)s;
    if (e->code != ERR_SESSION_MEMORY)
        bench_stop("refused for another reason", e->msg);
    g->refused++;
}

/* One turn of so many bytes; waits for its end. */
static inline void glutton_say(struct world *w, struct glutton *g, size_t len)
{
    const struct turn_sink sink = {g, world_opened, world_text, glutton_done, glutton_fail};
    char *text = xalloc(len + 1);
    unsigned before = g->done + g->refused;
    struct turn *turn;

    memset(text, 'x', len);
    for (size_t i = 7; i < len; i += 8)
        text[i] = ' ';
    const struct turn_request req = {.session_id = "sess_glutton",
                                     .text = {text, len},
                                     .charge = len,
                                     .started_ns = world_ns()};
    turn_start(w->agent, &req, &sink, &turn);
    while (g->done + g->refused == before)
        owner_turn(&w->owner);
    free(text);
}

static inline void glutton_on_look(struct session_wait *w, struct session *s,
                                   const struct err *e)
{
    if (!s)
        bench_stop("the session is gone", e ? e->msg : "not there");
    LIST_ITEM(w, struct glutton_look, wait)->budget = s->budget;
    session_leave(s);
}

static inline struct budget glutton_budget(struct world *w)
{
    struct glutton_look l = {.wait.ready = glutton_on_look};

    agent_look(w->agent, "sess_glutton", &l.wait);
    return l.budget;
}
