/*
 * The moderation endpoint: POST {"input": text, "model": name}, answered by {"results":
 * [{"flagged": bool, "categories": {name: bool, ...}}]} (OpenAI's POST /v1/moderations, which
 * others speak too). Whoever cannot be asked, or says nothing that is understood in time, does
 * not keep anybody from talking: it is counted, told to the log, and the text passes.
 */
#include "safety/safety_int.h"

#include "base/json_text.h"
#include "base/log.h"
#include "memory/memory.h"
#include "net/net.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 32768   /* bytes that are asked about; what a person says is shorter */
#define ANSWER_MAX 65536 /* bytes that are read */
#define CONNECTION_BYTES ((size_t)26 * 1024) /* what a connection costs (mind/cloud.c) */

struct safety_question {
    struct safety *safety;
    struct http_call *http;
    struct region room; /* on the budget of the region it was asked with */
    struct buf body, answer;
    void (*answered)(void *ctx, const struct safety_hit *hit);
    void *ctx;
};

static const char *const labels[] = {
#define MODERATED(name, label) label,
#include "safety/moderated.def"
#undef MODERATED
};

const char *safety_moderated_label(enum safety_moderated m)
{
    return labels[m];
}

void safety_stats(const struct safety *s, struct safety_stats *ret)
{
    *ret = s->stats;
    if (s->moderation.loop)
        ret->breaker = (int)breaker_state(&s->breaker, loop_now(s->moderation.loop));
}

void safety_set_moderation(struct safety *s, const struct safety_moderation_cfg *cfg)
{
    s->moderation = *cfg;
}

void safety_set_moderation_key(struct safety *s, const char *key)
{
    s->moderation.key = key;
}

static bool set(const char *text)
{
    return text && *text;
}

static void release(struct safety_question *q)
{
    struct budget *budget = q->room.budget;

    region_release(&q->room);
    budget_return(budget, CONNECTION_BYTES);
    free(q);
}

static void tell_breaker(struct safety *s, enum safety_moderated m)
{
    switch (m) {
    case SAFETY_MODERATED_PASSED:
    case SAFETY_MODERATED_FLAGGED:
        breaker_good(&s->breaker);
        break;
    case SAFETY_MODERATED_STOPPED:
    case SAFETY_MODERATED_NOMEM:
        breaker_dropped(&s->breaker);
        break;
    case SAFETY_MODERATED_SKIPPED:
        break;
    default:
        breaker_bad(&s->breaker, loop_now(s->moderation.loop));
    }
}

static void count(struct safety *s, enum safety_moderated m)
{
    s->stats.moderated[m]++;
    tell_breaker(s, m);
}

static void settle(struct safety_question *q, enum safety_moderated m, int status,
                   const char *why, const struct safety_hit *hit)
{
    struct safety *s = q->safety;
    void (*answered)(void *, const struct safety_hit *) = q->answered;
    static const struct safety_hit nothing;
    void *ctx = q->ctx;

    count(s, m);
    if (m != SAFETY_MODERATED_PASSED && m != SAFETY_MODERATED_FLAGGED)
        log_warn("safety", "unmoderated", "outcome=%s status=%d note=\"%s\"", labels[m], status,
                 why);
    if (hit)
        s->stats.hits[hit->kind][SAFETY_INPUT][SAFETY_REFUSE]++;
    release(q);
    answered(ctx, hit ? hit : &nothing);
}

/* The first category that is true; of all of them self-harm, to which one answers otherwise. */
static void category_of(const json_t *result, char *ret, size_t size)
{
    json_t *categories = json_object_get(result, "categories"), *on;
    const char *name;

    *ret = 0;
    json_object_foreach(categories, name, on)
    {
        bool harm = strncmp(name, "self-harm", 9) == 0;
        if (json_is_true(on) && (!*ret || harm))
            snprintf(ret, size, "%s", name);
        if (json_is_true(on) && harm)
            return;
    }
}

/* What the answer says; MALFORMED when it is not what the protocol says. */
static enum safety_moderated read_answer(struct safety_question *q, struct safety_hit *hit)
{
    json_error_t error;
    json_t *root = json_region_load(buf_text(&q->answer), q->answer.len, 0, &error);
    const json_t *result = json_array_get(json_object_get(root, "results"), 0);
    const json_t *flagged = json_object_get(result, "flagged");

    if (!root && json_error_code(&error) == json_error_out_of_memory)
        return SAFETY_MODERATED_NOMEM;
    if (!json_is_boolean(flagged))
        return SAFETY_MODERATED_MALFORMED;
    if (json_is_false(flagged))
        return SAFETY_MODERATED_PASSED;
    *hit = (struct safety_hit){.rule = "moderation",
                               .kind = SAFETY_TOXICITY,
                               .where = SAFETY_INPUT,
                               .action = SAFETY_REFUSE,
                               .say = q->safety->say_moderated};
    category_of(result, hit->category, sizeof(hit->category));
    if (strncmp(hit->category, "self-harm", 9) == 0)
        hit->say = q->safety->say_self_harm;
    return SAFETY_MODERATED_FLAGGED;
}

static enum safety_moderated lost_as(enum http_lost lost)
{
    switch (lost) {
    case HTTP_LOST_CONNECT_MS:
    case HTTP_LOST_FIRST_MS:
    case HTTP_LOST_BETWEEN_MS:
    case HTTP_LOST_WHOLE_MS:
        return SAFETY_MODERATED_TIMEOUT;
    case HTTP_LOST_CUT:
        return SAFETY_MODERATED_CUT;
    default:
        return SAFETY_MODERATED_UNREACHABLE;
    }
}

static void on_data(void *ctx, int status, const char *data, size_t len)
{
    struct safety_question *q = ctx;

    if (status == 200)
        buf_add(&q->answer, data, len);
}

static void on_end(void *ctx, int status, enum http_lost lost, const struct err *e)
{
    struct safety_question *q = ctx;
    struct safety_hit hit;
    enum safety_moderated m;

    q->http = NULL;
    if (lost != HTTP_LOST_NONE) {
        settle(q, lost_as(lost), 0, e->msg, NULL);
        return;
    }
    if (status != 200) {
        settle(q,
               status == 429  ? SAFETY_MODERATED_LIMITED
               : status < 500 ? SAFETY_MODERATED_REFUSED
                              : SAFETY_MODERATED_FAILED,
               status, "the moderation endpoint does not answer the question", NULL);
        return;
    }
    struct region *before = json_region_enter(&q->room);
    if (!q->answer.full)
        m = read_answer(q, &hit);
    else
        m = q->answer.len + 4096 > ANSWER_MAX ? SAFETY_MODERATED_MALFORMED
                                              : SAFETY_MODERATED_NOMEM;
    json_region_leave(before);
    settle(q, m, status,
           m == SAFETY_MODERATED_NOMEM ? "no memory to read the answer"
                                       : "the answer is not what was to come",
           m == SAFETY_MODERATED_FLAGGED ? &hit : NULL);
}

static void write_body(struct safety_question *q, struct str text)
{
    const char *model = q->safety->moderation.model;
    size_t len = text.len;

    if (len > TEXT_MAX)
        len = utf8_valid_prefix(text.data, TEXT_MAX);
    buf_reserve(&q->body, len + len / 16 + 256);
    buf_str(&q->body, "{\"input\":");
    json_text(&q->body, text.data, len, false);
    if (set(model)) {
        buf_str(&q->body, ",\"model\":");
        json_text(&q->body, model, strlen(model), false);
    }
    buf_char(&q->body, '}');
}

static int send_question(struct safety_question *q, struct err *e)
{
    const struct safety_moderation_cfg *cfg = &q->safety->moderation;
    struct buf key = BUF_INIT;

    buf_reserve(&key, 1024); /* so that no copy of it is left behind by growing */
    if (set(cfg->key))
        buf_printf(&key, "Authorization: Bearer %s", cfg->key);
    const char *const headers[] = {"Content-Type: application/json", "Accept: application/json",
                                   key.len ? buf_text(&key) : NULL, NULL};
    const struct http_ask ask = {
        .url = cfg->url,
        .headers = headers,
        .body = {buf_text(&q->body), q->body.len},
        .whole_ms = cfg->whole_ms,
        .on_data = on_data,
        .on_end = on_end,
        .ctx = q,
    };
    int rc = http_call_start(cfg->http, &ask, &q->http, e);
    buf_wipe(&key);
    return rc;
}

bool safety_moderate(struct safety *s, struct str text, struct region *r,
                     void (*answered)(void *ctx, const struct safety_hit *hit), void *ctx,
                     struct safety_question **ret)
{
    struct safety_question *q;
    struct err e;

    *ret = NULL;
    if (!set(s->moderation.url) || !s->moderation.http)
        return false;
    if (!breaker_try(&s->breaker, loop_now(s->moderation.loop))) {
        count(s, SAFETY_MODERATED_SKIPPED);
        return false;
    }
    q = calloc(1, sizeof(*q));
    if (!q || !budget_charge(r->budget, CONNECTION_BYTES)) {
        free(q);
        count(s, SAFETY_MODERATED_NOMEM);
        log_warn("safety", "unmoderated", "outcome=no_memory");
        return false;
    }
    q->safety = s;
    q->answered = answered;
    q->ctx = ctx;
    region_init(&q->room, r->budget, 0);
    buf_init(&q->body, &q->room.mem);
    buf_init(&q->answer, &q->room.mem);
    q->answer.max = ANSWER_MAX;
    write_body(q, text);
    if (q->body.full || send_question(q, &e) < 0) {
        bool full = q->body.full;
        count(s, full ? SAFETY_MODERATED_NOMEM : SAFETY_MODERATED_UNREACHABLE);
        log_warn("safety", "unmoderated", "outcome=%s note=\"%s\"",
                 full ? "no_memory" : "unreachable", full ? "" : e.msg);
        release(q);
        return false;
    }
    *ret = q;
    return true;
}

void safety_moderate_stop(struct safety_question **q)
{
    if (!*q)
        return;
    http_call_cancel((*q)->http);
    count((*q)->safety, SAFETY_MODERATED_STOPPED);
    release(*q);
    *q = NULL;
}
