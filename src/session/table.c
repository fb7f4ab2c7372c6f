#include "session/session.h"

#include "base/alloc.h"
#include "seal/seal.h"
#include "session/session_int.h"

#include <ctype.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CHUNK 1024

/* allowed[from] is the set of states one may move to. */
static const unsigned allowed[SESSION__STATES] = {
    [SESSION_NEW] = 1u << SESSION_LOADING,
    [SESSION_LOADING] = 1u << SESSION_BUSY | 1u << SESSION_ENDING,
    [SESSION_IDLE] = 1u << SESSION_BUSY | 1u << SESSION_ENDING,
    [SESSION_BUSY] = 1u << SESSION_IDLE | 1u << SESSION_ENDING,
    [SESSION_ENDING] = 1u << SESSION_LOADING,
};

static const char *const reject_texts[SESSION_REJECT__COUNT] = {
    [SESSION_REJECT_LIMIT] = "session_limit",
    [SESSION_REJECT_PRESSURE] = "memory_pressure",
    [SESSION_REJECT_INSUFFICIENT] = "insufficient_memory",
};

const char *session_reject_text(enum session_reject r)
{
    return r < SESSION_REJECT__COUNT ? reject_texts[r] : "unknown";
}

int session_table_new(const struct session_cfg *cfg, struct session_table **ret, struct err *e)
{
    if (cfg->budget < sizeof(struct session) + SESSION_ID_MAX + 4 * FIRST_CHUNK)
        return err_set(e, ERR_CONFIG, 0, "a session's budget of %zu bytes is too small",
                       cfg->budget);
    struct session_table *t = xalloc(sizeof(*t));
    t->cfg = *cfg;
    map_init(&t->by_id, cfg->seed);
    for (int i = 0; i < SESSION__STATES; i++)
        list_init(&t->by_state[i]);
    list_init(&t->removals);
    budget_init(&t->total, 0, NULL);
    *ret = t;
    return 0;
}

void session_table_free(struct session_table **t)
{
    if (!*t)
        return;
    MUST(list_empty(&(*t)->by_state[SESSION_BUSY]));
    MUST(list_empty(&(*t)->by_state[SESSION_LOADING]));
    MUST(list_empty(&(*t)->by_state[SESSION_ENDING]));
    LIST_EACH(at, after, &(*t)->by_state[SESSION_IDLE])
    session__close(LIST_ITEM(at, struct session, link), SESSION_END_SHUTDOWN);
    map_release(&(*t)->by_id);
    buf_release(&(*t)->plain);
    free(*t);
    *t = NULL;
}

void session_stats(const struct session_table *t, struct session_stats *ret)
{
    *ret = t->stats;
    ret->busy = t->count[SESSION_BUSY];
    ret->loading = t->count[SESSION_LOADING];
    ret->resident = t->count[SESSION_BUSY] + t->count[SESSION_IDLE];
    ret->max_resident = t->cfg.max_resident;
    ret->budget = t->cfg.budget;
    ret->reserved = (uint64_t)ret->resident * t->cfg.budget;
    ret->used = t->total.used;
    ret->index = t->by_id.cap * sizeof(struct map_slot);
    ret->reseal_pending = session__reseal_pending(t);
    ret->reseal_unreadable = t->reseal.unreadable;
}

void session_table_memory(struct session_table *t, const struct memory_sample *sample,
                          uint64_t footprint, bool refuse)
{
    t->sample = *sample;
    t->footprint = footprint;
    t->refuse = refuse;
}

bool session_id_valid(const char *id, size_t len)
{
    if (len < 1 || len > SESSION_ID_MAX)
        return false;
    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)id[i]) && !strchr("_-.:", id[i]))
            return false;
    return memchr(id, '\0', len) == NULL;
}

void session_id_make(char ret[SESSION_ID_MAX + 1])
{
    memcpy(ret, "sess_", 5);
    seal_token(ret + 5, 16);
}

void session__move(struct session *s, enum session_state to)
{
    struct session_table *t = s->table;

    MUST(s->magic == SESSION_MAGIC);
    MUST(allowed[s->state] & 1u << to);
    session__packed(t, s);
    list_remove(&s->link);
    t->count[s->state]--;
    s->state = (uint8_t)to;
    t->count[to]++;
    list_append(&t->by_state[to], &s->link);
    if (to == SESSION_IDLE && !t->unpacked)
        t->unpacked = s;
}

struct session *session__new(struct session_table *t, const char *id)
{
    size_t len = strlen(id);
    struct session *s = calloc(1, sizeof(*s) + len + 1);

    if (!s)
        return NULL;
    s->magic = SESSION_MAGIC;
    s->table = t;
    memcpy(s->id, id, len);
    list_init(&s->link);
    list_init(&s->waiters);
    budget_init(&s->budget, t->cfg.budget, &t->total);
    if (!budget_charge(&s->budget, malloc_usable_size(s) + sizeof(size_t))) {
        free(s);
        return NULL;
    }
    if (!map_reserve(&t->by_id)) {
        budget_return(&s->budget, s->budget.used);
        free(s);
        return NULL;
    }
    region_init(&s->region, &s->budget, FIRST_CHUNK);
    MUST(!map_put(&t->by_id, s->id, len, s));
    t->count[SESSION_NEW]++;
    session__move(s, SESSION_LOADING);
    return s;
}

void session__wipe(struct session *s)
{
    region_release(&s->region);
    s->first = s->last = NULL;
    s->message_count = s->folded_count = 0;
    s->summary = NULL;
    s->summary_len = 0;
    s->gemini = s->cartesia = NULL;
    s->agent = NULL;
    s->replays = NULL;
}

static size_t record_size(const char *id)
{
    return (sizeof(struct session) + strlen(id) + 1 + 15) & ~(size_t)15;
}

size_t session__own_bytes(const struct session *s)
{
    size_t block = malloc_usable_size((void *)(uintptr_t)s) + sizeof(size_t);

    return block + s->region.held - region_lent(&s->region);
}

size_t session__block_size(const struct session *s, size_t bytes)
{
    return record_size(s->id) + region_lent_size(bytes);
}

struct session *session__settle(struct session *s, size_t bytes)
{
    struct session_table *t = s->table;
    size_t record = record_size(s->id), size = session__block_size(s, bytes);
    struct session *n;

    MUST(s->state == SESSION_IDLE && s->waiter_count == 0);
    if (!budget_fits(&s->budget, size + 2 * sizeof(size_t) + 15) || !(n = malloc(size)))
        return NULL;
    size_t charge = malloc_usable_size(n) + sizeof(size_t);
    session__wipe(s);
    size_t before = s->budget.used;
    MUST(budget_charge(&s->budget, charge));
    memcpy(n, s, sizeof(*n) + strlen(s->id) + 1);
    n->link.prev->next = n->link.next->prev = &n->link;
    list_init(&n->waiters);
    if (t->unpacked == s)
        t->unpacked = n;
    region_init(&n->region, &n->budget, FIRST_CHUNK);
    region_lend(&n->region, (char *)n + record, size - record);
    MUST(map_put(&t->by_id, n->id, strlen(n->id), n) == s);
    budget_return(&n->budget, before); /* the old block's */
    s->magic = 0;
    free(s);
    return n;
}

void session__close(struct session *s, enum session_end why)
{
    struct session_table *t = s->table;

    MUST(s->magic == SESSION_MAGIC && s->waiter_count == 0);
    session__packed(t, s);
    list_remove(&s->link);
    t->count[s->state]--;
    if (s->version == 0 && (s->state == SESSION_BUSY || s->state == SESSION_IDLE))
        t->unstored--;
    t->stats.ended[why]++;
    map_remove(&t->by_id, s->id, strlen(s->id));
    session__put_off(s);
    session__wipe(s);
    s->magic = 0;
    budget_return(&s->budget, s->budget.used);
    free(s);
}

void session_count_over_budget(struct session_table *t)
{
    t->stats.over_budget++;
}
