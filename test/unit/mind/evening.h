/* A guest at the real bar with real tools, who talks to the house mind; for several tests. */
#pragma once

#include "bar/bar.h"
#include "base/buf.h"
#include "memory/memory.h"
#include "mind/mind.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

struct evening {
    struct bar_menu *menu;
    struct phrases *phrases;
    struct mind *mind;
    struct budget budget;
    struct region region;
    struct bar_tab tab;
    struct mind_memo memo;
    int64_t turn;
    uint64_t seed;
    struct buf reply;
    int texts, dones, fails, calls;
    struct err err;
    size_t scratch_limit; /* 0: none */
    size_t scratch_peak;
    const struct knowledge_passage *passage; /* what the documents have; NULL: nothing */
};

static inline void evening_text(void *ctx, const char *data, size_t len)
{
    struct evening *v = ctx;

    buf_add(&v->reply, data, len);
    v->texts++;
}

static inline int evening_tool(void *ctx, const char *name, struct json_t *args,
                               struct json_t **ret)
{
    struct evening *v = ctx;
    struct bar_guest g = {
        .menu = v->menu, .tab = &v->tab, .region = &v->region, .seed = v->seed++};

    v->calls++;
    *ret = bar_tool_call(&g, name, args, NULL);
    return *ret ? 0 : -1;
}

static inline void evening_done(void *ctx)
{
    ((struct evening *)ctx)->dones++;
}

static inline void evening_fail(void *ctx, const struct err *e)
{
    struct evening *v = ctx;

    v->fails++;
    v->err = *e;
}

static inline int evening_open(struct evening *v, uint64_t seed)
{
    struct err e;

    memset(v, 0, sizeof(*v));
    v->seed = seed;
    budget_init(&v->budget, 0, NULL);
    region_init(&v->region, &v->budget, 0);
    if (bar_menu_load("agents/maya", &v->menu, &e) < 0 ||
        phrases_load("agents/maya", &v->phrases, &e) < 0) {
        printf("# %s\n", e.msg);
        return -1;
    }
    v->mind = mind_house_new(v->menu, v->phrases);
    return 0;
}

/* The next guest: everything but the loaded files anew. */
static inline void evening_next_guest(struct evening *v)
{
    region_release(&v->region);
    memset(&v->tab, 0, sizeof(v->tab));
    memset(&v->memo, 0, sizeof(v->memo));
    v->turn = 0;
}

static inline const char *evening_say(struct evening *v, const char *text, size_t len)
{
    struct budget b;
    struct region scratch;
    struct mind_call *call = NULL;
    const struct mind_sink sink = {v, evening_text, evening_tool, evening_done, evening_fail};
    struct mind_turn turn = {.text = {text, len},
                             .tab = &v->tab,
                             .memo = &v->memo,
                             .knowledge = v->passage,
                             .knowledge_count = v->passage != NULL,
                             .scratch = &scratch,
                             .seed = v->seed * 2654435761u + 1};

    budget_init(&b, v->scratch_limit, NULL);
    region_init(&scratch, &b, 0);
    buf_clear(&v->reply);
    v->texts = v->dones = v->fails = v->calls = 0;
    v->seed++;
    turn.turn_number = ++v->turn;
    v->mind->ops->start(v->mind, &turn, &sink, &call);
    v->scratch_peak = b.peak;
    region_release(&scratch);
    return buf_text(&v->reply);
}

static inline void evening_close(struct evening *v)
{
    mind_free(&v->mind);
    phrases_free(&v->phrases);
    bar_menu_free(&v->menu);
    region_release(&v->region);
    buf_release(&v->reply);
}
