/*
 * Asks providers about keys. Only what a provider itself says of a key makes it invalid (401,
 * or a refusal in the provider's own form): a 403 or 400 of a proxy says nothing about it.
 */
#include "agent/agent.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/list.h"
#include "base/log.h"
#include "memory/memory.h"
#include "net/net.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_MAX ((size_t)64 * 1024)
#define URL_MAX 512
/* The newest that we know; a provider that does not take a header does not look at it. */
#define CARTESIA_VERSION "Cartesia-Version: 2026-08-14"

static const struct provider {
    const char *name, *text, *header, *path, *list;
} providers[AGENT_KEY__COUNT] = {
#define KEY(name, member, provider, header, path, list) {member, provider, header, path, list},
#include "agent/key.def"
#undef KEY
};

struct agent_keys {
    struct agent_keys_cfg cfg;
    struct list checks;
    unsigned count;
    struct agent_keys_stats stats;
};

struct question {
    struct agent_key_check *check;
    enum agent_key key;
    struct http_call *call; /* NULL: not asked, or over */
    struct buf answer;
};

struct agent_key_check {
    struct list link;
    struct agent_keys *keys;
    agent_keys_done_fn *done;
    void *ctx;
    unsigned open; /* questions without an answer, and one while it starts */
    struct question questions[AGENT_KEY__COUNT];
    struct agent_key_verdict verdicts[AGENT_KEY__COUNT];
};

const char *agent_key_name(enum agent_key k)
{
    return k < AGENT_KEY__COUNT ? providers[k].name : "unknown";
}

const char *agent_key_state_text(enum agent_key_state s)
{
    static const char *const texts[AGENT_KEY_STATE__COUNT] = {
        [AGENT_KEY_NOT_GIVEN] = "not_given",
        [AGENT_KEY_VALID] = "valid",
        [AGENT_KEY_INVALID] = "invalid",
        [AGENT_KEY_NOT_CHECKED] = "not_checked",
    };

    return s < AGENT_KEY_STATE__COUNT ? texts[s] : "unknown";
}

struct agent_keys *agent_keys_new(const struct agent_keys_cfg *cfg)
{
    struct agent_keys *k = xalloc(sizeof(*k));

    k->cfg = *cfg;
    list_init(&k->checks);
    return k;
}

const struct agent_keys_stats *agent_keys_stats(const struct agent_keys *k)
{
    return &k->stats;
}

/* Ends and forgets everything, but for what is freed with the check itself. */
static void hang_up(struct agent_key_check *c)
{
    for (int i = 0; i < AGENT_KEY__COUNT; i++) {
        if (c->questions[i].call)
            http_call_cancel(c->questions[i].call);
        c->questions[i].call = NULL;
        buf_wipe(&c->questions[i].answer); /* an error may repeat the key */
    }
    list_remove(&c->link);
    c->keys->count--;
}

void agent_keys_cancel(struct agent_key_check *c)
{
    hang_up(c);
    free(c);
}

void agent_keys_free(struct agent_keys **keys)
{
    struct agent_keys *k = *keys;

    if (!k)
        return;
    while (!list_empty(&k->checks))
        agent_keys_cancel(LIST_ITEM(k->checks.next, struct agent_key_check, link));
    free(k);
    *keys = NULL;
}

/* Verdicts. */

static void rule(struct agent_key_verdict *v, enum agent_key_state state, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

static void rule(struct agent_key_verdict *v, enum agent_key_state state, const char *fmt, ...)
{
    va_list ap;

    v->state = state;
    va_start(ap, fmt);
    vsnprintf(v->why, sizeof(v->why), fmt, ap);
    va_end(ap);
}

/* One question less; after the last one the owner is told. */
static void answered(struct agent_key_check *c)
{
    if (--c->open > 0)
        return;
    hang_up(c);
    c->done(c->ctx, c->verdicts);
    free(c);
}

/* `logged`: more than people outside are told. */
static void conclude(struct question *q, int status, const char *logged)
{
    struct agent_key_check *c = q->check;
    const struct agent_key_verdict *v = &c->verdicts[q->key];

    c->keys->stats.verdicts[q->key][v->state]++;
    log_info("agent", "key_checked", "provider=%s state=%s status=%d why=\"%s\"",
             agent_key_name(q->key), agent_key_state_text(v->state), status,
             logged ? logged : v->why);
    answered(c);
}

/* Why nobody answered, without addresses of the operator's network. */
static void rule_lost(struct question *q, enum http_lost lost)
{
    struct agent_key_verdict *v = &q->check->verdicts[q->key];
    const char *who = providers[q->key].text;

    switch (lost) {
    case HTTP_LOST_CONNECT_MS:
    case HTTP_LOST_FIRST_MS:
    case HTTP_LOST_BETWEEN_MS:
    case HTTP_LOST_WHOLE_MS:
        rule(v, AGENT_KEY_NOT_CHECKED, "%s did not answer within %g s.", who,
             (double)q->check->keys->cfg.limit_ms / 1000);
        return;
    case HTTP_LOST_CERTIFICATE:
        rule(v, AGENT_KEY_NOT_CHECKED,
             "%s could not be asked: its certificate does not verify.", who);
        return;
    case HTTP_LOST_CUT:
        rule(v, AGENT_KEY_NOT_CHECKED, "%s broke the connection off.", who);
        return;
    default:
        rule(v, AGENT_KEY_NOT_CHECKED, "%s cannot be reached.", who);
    }
}

/* A word of an error, or "": their sentences are not passed on, they may repeat the key. */
static void copy_code(char *ret, size_t size, const char *text)
{
    size_t n = text ? strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_") : 0;

    ret[0] = '\0';
    if (n && n < size && !text[n])
        str_copy(ret, size, text);
}

/*
 * What the provider calls its refusal: Google's ErrorInfo.reason or status, Cartesia's
 * error_code. False: this is no error of theirs.
 */
static bool read_error(const json_t *root, enum agent_key k, char *ret, size_t size)
{
    const json_t *error =
        json_object_get(json_is_array(root) ? json_array_get(root, 0) : root, "error");
    const json_t *details = json_object_get(error, "details");

    if (k == AGENT_KEY_CARTESIA) {
        copy_code(ret, size, json_string_value(json_object_get(root, "error_code")));
        return json_object_get(root, "title") || json_object_get(root, "error_code");
    }
    copy_code(ret, size, json_string_value(json_object_get(error, "status")));
    for (size_t i = 0; i < json_array_size(details); i++) {
        const char *reason =
            json_string_value(json_object_get(json_array_get(details, i), "reason"));
        if (reason)
            copy_code(ret, size, reason);
    }
    return json_is_object(error);
}

static void rule_answer(struct question *q, int status)
{
    struct agent_key_verdict *v = &q->check->verdicts[q->key];
    const struct provider *p = &providers[q->key];
    struct region *before = json_region_enter(NULL);
    json_t *root = json_loadb(buf_text(&q->answer), q->answer.len, 0, NULL);
    char code[48] = "";
    bool theirs = read_error(root, q->key, code, sizeof(code));
    bool bad =
        status == 401 ||
        (theirs && (status == 403 || (status == 400 && strcmp(code, "API_KEY_INVALID") == 0)));

    if (status == 200 && json_is_array(json_object_get(root, p->list)))
        rule(v, AGENT_KEY_VALID, "%s", "");
    else if (bad)
        rule(v, AGENT_KEY_INVALID, "%s does not accept this key (%d%s%s).", p->text, status,
             code[0] ? " " : "", code);
    else if (status == 200)
        rule(v, AGENT_KEY_NOT_CHECKED, "%s answered something that is no list of %s.", p->text,
             q->key == AGENT_KEY_GEMINI ? "models" : "voices");
    else
        rule(v, AGENT_KEY_NOT_CHECKED, "%s could not tell: it answered %d%s%s.", p->text,
             status, code[0] ? " " : "", code);
    json_decref(root);
    json_region_leave(before);
}

static void on_data(void *ctx, int status, const char *data, size_t len)
{
    struct question *q = ctx;

    (void)status;
    buf_add(&q->answer, data, len);
    if (!q->answer.full)
        return;
    http_call_cancel(q->call);
    q->call = NULL;
    rule(&q->check->verdicts[q->key], AGENT_KEY_NOT_CHECKED,
         q->answer.len + len > ANSWER_MAX
             ? "%s answered more than a question about a key can need."
             : "There is no memory for what %s answered.",
         providers[q->key].text);
    conclude(q, status, NULL);
}

static void on_end(void *ctx, int status, enum http_lost lost, const struct err *e)
{
    struct question *q = ctx;

    q->call = NULL;
    if (lost != HTTP_LOST_NONE) {
        rule_lost(q, lost);
        conclude(q, status, e->msg);
        return;
    }
    rule_answer(q, status);
    conclude(q, status, NULL);
}

/* Asking. */

/* What is sent in a header must not be able to begin another one. */
static bool is_key(struct str key)
{
    for (size_t i = 0; i < key.len; i++)
        if (key.data[i] <= ' ' || key.data[i] > '~')
            return false;
    return key.len <= AGENT_KEY_MAX;
}

static void ask(struct question *q, struct str key)
{
    const struct agent_keys_cfg *cfg = &q->check->keys->cfg;
    const struct provider *p = &providers[q->key];
    char url[URL_MAX], header[AGENT_KEY_MAX + 64];
    size_t n = strlen(cfg->url[q->key]);
    const char *const headers[] = {header, "Accept: application/json",
                                   q->key == AGENT_KEY_CARTESIA ? CARTESIA_VERSION : NULL,
                                   NULL};
    struct err e;

    while (n && cfg->url[q->key][n - 1] == '/')
        n--;
    q->answer.max = ANSWER_MAX;
    if ((size_t)snprintf(url, sizeof(url), "%.*s%s", (int)n, cfg->url[q->key], p->path) >=
        sizeof(url)) {
        rule(&q->check->verdicts[q->key], AGENT_KEY_NOT_CHECKED,
             "The address of %s is too long.", p->text);
        conclude(q, 0, NULL);
        return;
    }
    snprintf(header, sizeof(header), "%s%.*s", p->header, STR_FMT(key));
    const struct http_ask how = {
        .url = url,
        .headers = headers,
        .whole_ms = cfg->limit_ms,
        .on_data = on_data,
        .on_end = on_end,
        .ctx = q,
    };
    if (http_call_start(cfg->http, &how, &q->call, &e) < 0) {
        rule(&q->check->verdicts[q->key], AGENT_KEY_NOT_CHECKED, "%s cannot be asked.",
             p->text);
        conclude(q, 0, e.msg);
    }
    explicit_bzero(header, sizeof(header));
}

/* True: there is nothing to ask, and the verdict says why. */
static bool settled(struct agent_keys *k, enum agent_key key, struct str given,
                    struct agent_key_verdict *v)
{
    if (given.len == 0)
        return true;
    if (!is_key(given))
        rule(v, AGENT_KEY_INVALID,
             "This is no key of %s: a key has at most %d visible ASCII characters and no "
             "spaces.",
             providers[key].text, AGENT_KEY_MAX);
    else if (!k || k->cfg.limit_ms <= 0)
        rule(v, AGENT_KEY_NOT_CHECKED, "Keys are not checked here.");
    else if (k->count >= AGENT_KEY_CHECKS_MAX)
        rule(v, AGENT_KEY_NOT_CHECKED, "Too many keys are being checked at this moment.");
    else
        return false;
    if (k)
        k->stats.verdicts[key][v->state]++;
    return true;
}

void agent_keys_check(struct agent_keys *k, const struct str *given, agent_keys_done_fn *done,
                      void *ctx, struct agent_key_check **ret)
{
    struct agent_key_verdict v[AGENT_KEY__COUNT] = {0};
    struct agent_key_check *c = NULL;
    bool ask_it[AGENT_KEY__COUNT], any = false, bad = false;

    *ret = NULL;
    for (int i = 0; i < AGENT_KEY__COUNT; i++) {
        ask_it[i] = !settled(k, (enum agent_key)i, given[i], &v[i]);
        any |= ask_it[i];
        bad |= v[i].state == AGENT_KEY_INVALID;
    }
    if (any && !bad)
        c = calloc(1, sizeof(*c));
    for (int i = 0; !c && i < AGENT_KEY__COUNT; i++)
        if (ask_it[i]) {
            rule(&v[i], AGENT_KEY_NOT_CHECKED, "%s",
                 bad ? "The other key is none, so this one was not looked at."
                     : "There is no memory to ask with.");
            k->stats.verdicts[i][AGENT_KEY_NOT_CHECKED]++;
        }
    if (!c) {
        done(ctx, v);
        return;
    }
    *c = (struct agent_key_check){.keys = k, .done = done, .ctx = ctx, .open = 1};
    memcpy(c->verdicts, v, sizeof(v));
    list_append(&k->checks, &c->link);
    k->count++;
    for (int i = 0; i < AGENT_KEY__COUNT; i++)
        c->open += ask_it[i];
    for (int i = 0; i < AGENT_KEY__COUNT; i++) {
        c->questions[i].check = c;
        c->questions[i].key = (enum agent_key)i;
        if (ask_it[i])
            ask(&c->questions[i], given[i]);
    }
    if (c->open > 1) {
        c->open--;
        *ret = c;
    } else {
        answered(c);
    }
}
