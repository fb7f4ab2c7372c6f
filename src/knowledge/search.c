/*
 * A search in the index. Rows come as SQLite finds them and the best are kept here, so that
 * nothing is sorted, and how rare each word is gets known on the way. Looking for a word costs
 * as much as there are rows with it, so the common ones are left out where others are asked
 * for.
 */
#include "knowledge/knowledge_int.h"
#include "memory/memory.h"

#include <malloc.h>
#include <math.h>
#include <string.h>

#define MATCH_MIN 0.5 /* a passage that has less of the question does not bear on it */
#define CANDIDATES 24
#define ROWS_MAX 5000  /* to be read in one search, about; at 0.2 us each */
#define SATURATION 1.2 /* BM25's k1: a word said again counts less and less */

struct candidate {
    int64_t row;
    double rank;
    uint8_t counts[QUERY_TERMS_MAX];
};

struct finding {
    struct candidate best[CANDIDATES]; /* the highest rank first */
    unsigned count;
    unsigned rows[QUERY_TERMS_MAX]; /* that have the term */
};

struct wanted {
    const struct query *query;
    double weights[QUERY_TERMS_MAX];
    double all; /* of what is asked */
};

/*
 * How much a word tells: Robertson and Sparck Jones's weight, kept above 0. As if there were
 * some more passages: in few of them no word is rare, and one that is in none is no stranger.
 */
static double weight(double rows, double with)
{
    rows += 20;
    return log(1 + (rows - with + 0.5) / (with + 0.5));
}

/* Leave out what costs too much, the most common first; one that can be found stays. */
static int plan(const struct knowledge *k, struct query *q, int64_t *ret_costs)
{
    int64_t costs[QUERY_TERMS_MAX] = {0}, left = ROWS_MAX;
    struct query whole = *q;
    bool taken[QUERY_TERMS_MAX] = {false};

    for (unsigned i = 0; i < whole.count; i++)
        if ((costs[i] = knowledge__cost(k, &whole.terms[i])) < 0)
            return -1;
    for (;;) {
        int least = -1;
        for (unsigned i = 0; i < whole.count; i++)
            if (!taken[i] && costs[i] > 0 && (least < 0 || costs[i] < costs[least]))
                least = (int)i;
        if (least < 0 || (costs[least] > left && left < ROWS_MAX))
            break;
        taken[least] = true;
        left -= costs[least];
    }
    q->count = q->asked = 0;
    for (unsigned i = 0; i < whole.count; i++) {
        if (!taken[i])
            continue;
        q->asked += i < whole.asked;
        ret_costs[q->count] = costs[i];
        q->terms[q->count++] = whole.terms[i];
    }
    if (!q->asked)
        q->asked = q->count;
    return 0;
}

static double rank_of(const struct wanted *w, const uint8_t *counts)
{
    double sum = 0;

    for (unsigned i = 0; i < w->query->count; i++)
        sum += w->weights[i] * counts[i] * (SATURATION + 1) / (counts[i] + SATURATION);
    return sum;
}

/* Keep it when it is among the best. */
static void consider(struct finding *f, const struct candidate *c)
{
    unsigned at = f->count;

    while (at > 0 && f->best[at - 1].rank < c->rank)
        at--;
    if (at >= CANDIDATES)
        return;
    unsigned last = f->count < CANDIDATES ? f->count++ : CANDIDATES - 1;
    memmove(f->best + at + 1, f->best + at, (last - at) * sizeof(*f->best));
    f->best[at] = *c;
}

/* The rows that are best by the weights in `w`, and how many have each term. */
static int find(struct knowledge *k, const struct buf *expression, const struct wanted *w,
                struct finding *ret)
{
    sqlite3_stmt *st = k->find;
    int rc =
        sqlite3_bind_text(st, 1, buf_text(expression), (int)expression->len, SQLITE_STATIC);

    ret->count = 0;
    memset(ret->rows, 0, sizeof(ret->rows));
    for (int n = 0; rc == SQLITE_OK && (rc = sqlite3_step(st)) == SQLITE_ROW; n++) {
        if (n == 2 * ROWS_MAX) { /* one very common word; so many others have it as well */
            rc = SQLITE_DONE;
            break;
        }
        struct candidate c = {.row = sqlite3_column_int64(st, 0),
                              .rank = rank_of(w, k->counts)};
        memcpy(c.counts, k->counts, sizeof(c.counts));
        for (unsigned i = 0; i < w->query->count; i++)
            ret->rows[i] += c.counts[i] > 0;
        consider(ret, &c);
        rc = SQLITE_OK;
    }
    sqlite3_reset(st);
    sqlite3_clear_bindings(st);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* What the terms count before it is known how many rows have them. */
static void guess(const struct knowledge *k, const int64_t *costs, struct wanted *w)
{
    for (unsigned i = 0; i < w->query->count; i++) {
        double rows = (double)costs[i];
        if (costs[i] <= COMMON_ROWS)
            rows = (double)(k->count < COMMON_ROWS ? k->count : COMMON_ROWS) / 4;
        w->weights[i] = weight((double)k->count, rows);
    }
}

/* What they count, and the order of the best by that. */
static void weigh(const struct knowledge *k, struct finding *f, struct wanted *w)
{
    struct finding in_order = {.count = 0};

    w->all = 0;
    for (unsigned i = 0; i < w->query->count; i++) {
        w->weights[i] = weight((double)k->count, f->rows[i]);
        if (w->query->terms[i].pair && !f->rows[i])
            w->weights[i] /= 3; /* the end of one word and the beginning of the next */
        w->all += i < w->query->asked ? w->weights[i] : 0;
    }
    for (unsigned i = 0; i < f->count; i++) {
        f->best[i].rank = rank_of(w, f->best[i].counts);
        consider(&in_order, &f->best[i]);
    }
    memcpy(f->best, in_order.best, f->count * sizeof(*f->best));
}

static double match_of(const struct wanted *w, const uint8_t *counts)
{
    double part = 0;

    for (unsigned i = 0; i < w->query->asked; i++)
        part += counts[i] ? w->weights[i] : 0;
    return w->all > 0 ? part / w->all : 0;
}

/* The best of what was found, as far as it bears on the question and fits. */
static size_t choose(const struct knowledge *k, const struct finding *f, const struct wanted *w,
                     size_t max, struct knowledge_passage *out, struct buf *room)
{
    const char *texts = k->texts.data;
    size_t n = 0;

    for (unsigned i = 0; i < f->count && n < KNOWLEDGE_FOUND_MAX; i++) {
        const struct passage *p = &k->passages[f->best[i].row];
        double match = match_of(w, f->best[i].counts);
        size_t size = p->len + strlen(texts + p->title) + strlen(texts + p->heading);
        if (match < MATCH_MIN || size > max)
            continue;
        max -= size;
        struct str text = {texts + p->text, p->len};
        out[n++] = (struct knowledge_passage){
            .source = texts + p->source,
            .line = p->line,
            .title = texts + p->title,
            .heading = texts + p->heading,
            .text = text,
            .at = knowledge__best(k, w->query, w->weights, texts + p->heading, text, room),
            .match = match,
        };
    }
    return n;
}

/* `work` is for what is needed on the way. -1: memory was refused. */
static int search(struct knowledge *k, struct query *q, size_t max, struct region *work,
                  struct knowledge_passage *ret, size_t *ret_count)
{
    struct finding f;
    struct wanted wanted = {.query = q};
    int64_t costs[QUERY_TERMS_MAX];
    struct buf room;

    if (plan(k, q, costs) < 0)
        return -1;
    if (!q->count)
        return 0;
    buf_init(&room, &work->mem);
    knowledge__query_write(q, &room);
    guess(k, costs, &wanted);
    if (room.full || find(k, &room, &wanted, &f) != SQLITE_OK)
        return -1;
    weigh(k, &f, &wanted);
    *ret_count = choose(k, &f, &wanted, max, ret, &room);
    return 0;
}

enum knowledge_outcome knowledge_search(struct knowledge *k, const struct knowledge_question *q,
                                        size_t max, struct region *mem,
                                        const struct knowledge_passage **ret, size_t *ret_count)
{
    struct knowledge_passage found[KNOWLEDGE_FOUND_MAX];
    struct query query;
    struct region work;
    size_t n = 0;

    *ret = NULL;
    *ret_count = 0;
    if (!k->find)
        return KNOWLEDGE_NOTHING;
    knowledge__query(q, &query);
    if (!query.count)
        return KNOWLEDGE_NOTHING;
    region_init(&work, mem->budget, 0);
    int rc = search(k, &query, max, &work, found, &n);
    region_release(&work);
    if (rc < 0)
        return KNOWLEDGE_FAILED;
    if (!n)
        return KNOWLEDGE_NOTHING;
    *ret = region_dup(mem, found, n * sizeof(*found));
    *ret_count = *ret ? n : 0;
    return *ret ? KNOWLEDGE_FOUND : KNOWLEDGE_FAILED;
}

const char *knowledge_outcome_label(enum knowledge_outcome o)
{
    static const char *const labels[KNOWLEDGE_OUTCOME__COUNT] = {
        [KNOWLEDGE_FOUND] = "found",
        [KNOWLEDGE_NOTHING] = "nothing",
        [KNOWLEDGE_FAILED] = "failed",
    };

    return o < KNOWLEDGE_OUTCOME__COUNT ? labels[o] : "unknown";
}

void knowledge_stats(const struct knowledge *k, struct knowledge_stats *ret)
{
    static const int kinds[] = {SQLITE_DBSTATUS_CACHE_USED, SQLITE_DBSTATUS_SCHEMA_USED,
                                SQLITE_DBSTATUS_STMT_USED};
    int now, most;

    *ret = (struct knowledge_stats){
        .documents = k->documents, .passages = k->count, .available = k->find != NULL};
    for (size_t i = 0; k->db && i < ARRAY_LEN(kinds); i++)
        if (sqlite3_db_status(k->db, kinds[i], &now, &most, 0) == SQLITE_OK)
            ret->in_sqlite += (uint64_t)now;
    ret->bytes = ret->in_sqlite + malloc_usable_size(k->texts.data) +
                 malloc_usable_size(k->passages) + malloc_usable_size(k->common) + sizeof(*k);
}
