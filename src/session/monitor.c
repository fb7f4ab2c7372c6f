/* What an operator may see of sessions: figures of one, and a sorted part of them all. */
#include "session/session.h"

#include "session/session_int.h"

#include <string.h>

#define AHEAD 16 /* sessions whose memory is on its way while one is looked at */

static const char *const state_texts[SESSION__STATES] = {
    [SESSION_NEW] = "new",   [SESSION_LOADING] = "loading", [SESSION_IDLE] = "idle",
    [SESSION_BUSY] = "busy", [SESSION_ENDING] = "ending",
};

static const char *const sort_texts[SESSION_SORT__COUNT] = {
    [SESSION_BY_MEMORY] = "memory", [SESSION_BY_IDLE] = "idle", [SESSION_BY_AGE] = "age"};

const char *session_sort_text(enum session_sort by)
{
    return by < SESSION_SORT__COUNT ? sort_texts[by] : NULL;
}

/* NEW is over before anybody could see it. */
const char *session_state_text(unsigned i)
{
    return SESSION_LOADING + i < SESSION__STATES ? state_texts[SESSION_LOADING + i] : NULL;
}

const struct session *session_peek(const struct session_table *t, const char *id)
{
    return map_get(&t->by_id, id, strlen(id));
}

static int64_t since(int64_t then_s, int64_t now_s)
{
    return then_s && now_s > then_s ? now_s - then_s : 0;
}

static int64_t left(const struct session_table *t, int64_t idle_s)
{
    return idle_s < t->cfg.expiry_s ? t->cfg.expiry_s - idle_s : 0;
}

void session_figures(const struct session *s, int64_t now_s, struct session_figures *ret)
{
    bool busy = s->state == SESSION_BUSY;

    MUST(s->magic == SESSION_MAGIC);
    *ret = (struct session_figures){
        .id = s->id,
        .state = state_texts[s->state],
        .used = s->budget.used,
        .peak = s->budget.peak,
        .budget = s->budget.limit,
        .refused = s->budget.refused,
        .version = s->version,
        .turns = s->turns,
        .messages = s->message_count,
        .folded = s->folded_count,
        .waiters = s->waiter_count,
        .created_s = s->created_s,
        .used_s = s->used_s,
        .age_s = since(s->created_s, now_s),
        .idle_s = busy ? 0 : since(s->used_s, now_s),
    };
    ret->expires_in_s = left(s->table, ret->idle_s);
}

void session_totals(const struct session_table *t, struct session_totals *ret)
{
    struct store_stats stored;

    store_stats(t->cfg.store, &stored);
    *ret = (struct session_totals){
        .idle = t->count[SESSION_IDLE],
        .busy = t->count[SESSION_BUSY],
        .loading = t->count[SESSION_LOADING],
        .ending = t->count[SESSION_ENDING],
        .stored = stored.rows,
        .max_resident = t->cfg.max_resident,
        .used = t->total.used,
        .budget = t->cfg.budget,
    };
    ret->resident = (uint64_t)ret->idle + ret->busy;
    ret->reserved = ret->resident * t->cfg.budget;
    /* The store counts when it commits, so a moment ago it may have known fewer than we. */
    uint64_t here = ret->resident - t->unstored + ret->ending;
    ret->hibernated = stored.rows > here ? stored.rows - here : 0;
}

/* Large is first, unless asked for the opposite: the fattest, the longest idle, the oldest. */
int64_t session_place(const struct session *s, enum session_sort by)
{
    bool known = s->state == SESSION_IDLE || s->state == SESSION_ENDING;

    switch (by) {
    case SESSION_BY_IDLE:
        return known ? -s->used_s : -INT64_MAX; /* a busy one is not idle at all */
    case SESSION_BY_AGE:
        return s->created_s ? -s->created_s : -INT64_MAX;
    case SESSION_BY_MEMORY:
    case SESSION_SORT__COUNT:
        break;
    }
    return (int64_t)s->budget.used;
}

/* Does (place, id) stand before (place of s, its id)? */
static bool before(const struct session_query *q, int64_t place, const char *id,
                   const struct session *s)
{
    int64_t other = session_place(s, q->by);

    if (place != other)
        return q->ascending ? place < other : place > other;
    return strcmp(id, s->id) < 0;
}

static bool stands_before(const struct session_query *q, const struct session *a,
                          const struct session *b)
{
    return before(q, session_place(a, q->by), a->id, b);
}

/* A heap with the last of the order at its top: let what stands at `i` sink to its place. */
static void sink(const struct session_query *q, const struct session **heap, size_t n, size_t i)
{
    for (size_t child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && stands_before(q, heap[child], heap[child + 1]))
            child++;
        if (!stands_before(q, heap[i], heap[child]))
            break;
        const struct session *s = heap[i];
        heap[i] = heap[child];
        heap[child] = s;
    }
}

static void rise(const struct session_query *q, const struct session **heap, size_t i)
{
    for (size_t parent; i > 0 && stands_before(q, heap[parent = (i - 1) / 2], heap[i]);
         i = parent) {
        const struct session *s = heap[i];
        heap[i] = heap[parent];
        heap[parent] = s;
    }
}

/* Keep the session if it belongs to the first q->most behind the place that was asked for. */
static void consider(const struct session_query *q, const struct session *s,
                     const struct session **heap, size_t *n)
{
    if (q->after_id && !before(q, q->after, q->after_id, s))
        return;
    if (*n < q->most) {
        heap[*n] = s;
        rise(q, heap, (*n)++);
    } else if (*n && stands_before(q, s, heap[0])) {
        heap[0] = s;
        sink(q, heap, *n, 0);
    }
}

size_t session_list(const struct session_table *t, const struct session_query *q,
                    const struct session **ret, size_t *ret_matched)
{
    const struct map *all = &t->by_id;
    bool wanted[SESSION__STATES];
    size_t n = 0;

    *ret_matched = 0;
    for (int state = 0; state < SESSION__STATES; state++) {
        wanted[state] = !q->state || strcmp(q->state, state_texts[state]) == 0;
        *ret_matched += wanted[state] ? t->count[state] : 0;
    }
    /* Not by the lists of states: there each session waits for the memory of the one before. */
    for (size_t i = 0; i < all->cap; i++) {
        const struct session *s = all->slots[i].value;
        const struct session *later = all->slots[(i + AHEAD) & (all->cap - 1)].value;
        __builtin_prefetch(later);
        __builtin_prefetch(later ? &later->budget : NULL);
        if (s && wanted[s->state])
            consider(q, s, ret, &n);
    }
    for (size_t rest = n; rest > 1;) { /* the last of the order to the end, again and again */
        const struct session *s = ret[0];
        ret[0] = ret[--rest];
        ret[rest] = s;
        sink(q, ret, rest, 0);
    }
    return n;
}

static void on_row(void *ctx, const struct store_row *row, const struct err *failed)
{
    struct session_ask *a = ctx;
    struct session_stored found;

    if (failed || !row || session__expired(a->table, row->used_at_s, a->now_s)) {
        a->told(a, NULL, failed);
        return;
    }
    found = (struct session_stored){.version = row->version,
                                    .bytes = row->len,
                                    .used_s = row->used_at_s,
                                    .idle_s = since(row->used_at_s, a->now_s)};
    found.expires_in_s = left(a->table, found.idle_s);
    a->told(a, &found, NULL);
}

void session_ask_store(struct session_table *t, const char *id, int64_t now_s,
                       struct session_ask *a)
{
    a->table = t;
    a->now_s = now_s;
    store_get(t->cfg.store, id, on_row, a);
}
