/*
 * A mind that is asked over the network, one turn of it: ask, speak as words come, run the
 * tools that were called when the answer is whole, ask again with their results.
 */
#include "mind/cloud_int.h"

#include "bar/bar.h"
#include "base/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* What a connection of libcurl costs while it runs: handle, buffers, socket (measured). */
#define CONNECTION_BYTES ((size_t)32 * 1024)
#define BREAKER_FAILURES 5
#define BREAKER_FIRST_MS 5000
#define BREAKER_MOST_MS 120000

static void round_over(struct cloud_call *c);

void cloud__leave(struct cloud_call *c)
{
    c->inside--;
    if (c->over && !c->inside)
        free(c);
}

/* Stop asking; whatever was asked is not answered any more. */
void cloud__hang_up(struct cloud_call *c)
{
    if (c->http)
        http_call_cancel(c->http);
    c->http = NULL;
    loop_timer_free(&c->pause);
    if (c->waiting)
        gemini_auth__cancel(&c->auth);
    c->waiting = false;
}

/* The answer comes. */

static bool faulty(const struct cloud_call *c)
{
    const struct cloud_answer *a = &c->answer;

    return a->full || a->malformed || a->failed || c->said.full;
}

static void on_say(void *ctx, const char *text, size_t len)
{
    struct cloud_call *c = ctx;

    if (!c->worded) {
        c->worded = true;
        histogram_add(&c->mind->stats.first_word_seconds,
                      (double)(loop_hrtime_ns() - c->asked_ns) / 1e9);
        if (c->spoke && !c->blank) /* words of two answers */
            buf_char(&c->said, ' ');
    }
    buf_add(&c->said, text, len);
}

static void on_event(void *ctx, const char *data, size_t len)
{
    struct cloud_call *c = ctx;

    if (faulty(c) || c->answer.ended)
        return;
    struct cloud_json j;
    if (!cloud__json_begin(&j, c->talk.budget, len)) {
        c->answer.full = true;
        return;
    }
    c->mind->codec->event(&c->answer, data, len);
    cloud__json_end(&j);
}

/* An error inside the stream. */
static void failed_inside(struct cloud_call *c)
{
    const struct cloud_answer *a = &c->answer;
    char why[80];

    snprintf(why, sizeof(why), "it reports an error%s%s", a->note[0] ? " " : "", a->note);
    cloud__lost(c, a->fault == 429 ? MIND_OUTCOME_LIMITED : MIND_OUTCOME_FAILED,
                a->fault ? a->fault : 500, why);
}

/* Look at what has come; false: the turn is over, or the request was given up. */
static bool look(struct cloud_call *c)
{
    struct cloud_answer *a = &c->answer;

    if (a->full || c->said.full) {
        cloud__no_memory(c);
        return false;
    }
    cloud__flush(c);
    if (c->over)
        return false;
    if (a->failed)
        failed_inside(c);
    else if (a->malformed)
        cloud__lost(c, MIND_OUTCOME_MALFORMED, 0,
                    a->too_many ? "it wants too many things at once"
                                : "its answer is not what the protocol says");
    else if (c->text > CLOUD_TEXT_MAX || c->bytes > CLOUD_BYTES_MAX)
        cloud__endless(c);
    else
        return true;
    return false;
}

static void read_answer(struct cloud_call *c, const char *data, size_t len)
{
    bool fits = true;

    c->bytes += len;
    if (c->whole)
        buf_add(&c->events.data, data, len);
    else
        fits = cloud__events_feed(&c->events, data, len);
    if (c->events.data.full || !fits) {
        if (c->events.data.len + c->events.line.len + len > CLOUD_EVENT_MAX / 2)
            c->answer.malformed = true;
        else
            c->answer.full = true;
    }
    if (look(c) && c->answer.ended) {
        http_call_forget(c->http);
        c->http = NULL;
        round_over(c);
    }
}

static void on_data(void *ctx, int status, const char *data, size_t len)
{
    struct cloud_call *c = ctx;

    c->inside++;
    if (status == 200)
        read_answer(c, data, len);
    else
        buf_add(&c->refusal, data, len);
    cloud__leave(c);
}

static int64_t number_of(struct str s, double unit_ms)
{
    char text[24];
    double v;

    snprintf(text, sizeof(text), "%.*s", (int)(s.len < 23 ? s.len : 23), s.data);
    return str_to_double(text, &v) && v >= 0 && v < 1e6 ? (int64_t)(v * unit_ms) : 0;
}

static void on_header(void *ctx, int status, struct str name, struct str value)
{
    struct cloud_call *c = ctx;

    (void)status;
    if (str_eq_nocase(name, "content-type"))
        c->whole = value.len >= 16 && strncasecmp(value.data, "application/json", 16) == 0;
    else if (str_eq_nocase(name, "retry-after-ms"))
        c->retry_ms = number_of(value, 1);
    else if (str_eq_nocase(name, "retry-after") && !c->retry_ms)
        c->retry_ms = number_of(value, 1000);
    else if (str_eq_nocase(name, "x-should-retry"))
        c->should_retry = str_eq_nocase(value, "true") ? 1 : -1;
}

static enum mind_outcome outcome_of(enum http_lost lost)
{
    switch (lost) {
    case HTTP_LOST_FIRST_MS:
    case HTTP_LOST_BETWEEN_MS:
    case HTTP_LOST_WHOLE_MS:
        return MIND_OUTCOME_TIMEOUT;
    case HTTP_LOST_CUT:
        return MIND_OUTCOME_CUT;
    default:
        return MIND_OUTCOME_UNREACHABLE;
    }
}

/* Another status than 200: what is said in its body, and whether it is worth another try. */
static void refused(struct cloud_call *c, int status)
{
    struct cloud_refusal r = {0};
    char why[80];

    struct cloud_json j;
    if (cloud__json_begin(&j, c->talk.budget, c->refusal.len)) {
        json_t *body = json_loadb(buf_text(&c->refusal), c->refusal.len, 0, NULL);
        c->mind->codec->refusal(body, &r);
        json_decref(body);
        cloud__json_end(&j);
    }
    if (r.retry_ms > c->retry_ms)
        c->retry_ms = r.retry_ms;
    if (r.final)
        c->should_retry = -1;
    snprintf(why, sizeof(why), "it answers %d%s%s", status, r.code[0] ? " " : "", r.code);
    if (status == 401 && c->mind->auth && !c->renewed) {
        c->renewed = true;
        gemini_auth__forget(c->mind->auth);
        cloud__settle(c, MIND_OUTCOME_REFUSED, 0);
        cloud__ask(c);
        return;
    }
    cloud__lost(c,
                status == 429  ? MIND_OUTCOME_LIMITED
                : status < 500 ? MIND_OUTCOME_REFUSED
                               : MIND_OUTCOME_FAILED,
                status, why);
}

static void on_end(void *ctx, int status, enum http_lost lost, const struct err *e)
{
    struct cloud_call *c = ctx;

    c->inside++;
    c->http = NULL;
    if (lost != HTTP_LOST_NONE) {
        enum mind_outcome o = outcome_of(lost);
        cloud__lost_with(c, o, 0,
                         o == MIND_OUTCOME_TIMEOUT ? "it took too long"
                         : o == MIND_OUTCOME_CUT   ? "it broke the connection off"
                                                   : "it cannot be reached",
                         e->msg);
    } else if (status != 200) {
        refused(c, status);
    } else {
        if (c->whole)
            on_event(c, buf_text(&c->events.data), c->events.data.len);
        else if (!cloud__events_end(&c->events))
            c->answer.malformed = true;
        bool fine = look(c);
        if (fine && c->answer.finish == CLOUD_RUNNING)
            cloud__lost(c, MIND_OUTCOME_CUT, 0, "it broke off in the middle of its answer");
        else if (fine)
            round_over(c);
    }
    cloud__leave(c);
}

/* The answer is whole. */

static bool changes(const char *name)
{
    size_t count;
    const struct bar_tool *tools = bar_tools(&count);

    for (size_t i = 0; i < count; i++)
        if (strcmp(tools[i].name, name) == 0)
            return tools[i].changes;
    return false;
}

/* Run one tool; false: no memory. Arguments that are no object are told in words. */
static bool run_tool(struct cloud_call *c, const struct cloud_tool *t, struct cloud_result *ret)
{
    const char *name = buf_text(&t->name);
    struct str args = str_trim((struct str){buf_text(&t->args), t->args.len});
    json_t *given = args.len ? json_loadb(args.data, args.len, 0, NULL) : json_object();
    json_t *result = NULL;
    struct buf text;

    buf_init(&text, &c->room.mem);
    if (args.len && !json_is_object(given)) {
        buf_str(&text, "{\"status\":\"error\",\"error\":\"INVALID_ARGUMENT\",\"message\":\"the "
                       "arguments are not a JSON object; nothing was done\"}");
        ret->error = true;
    } else {
        if (!given || c->sink.call_tool(c->sink.ctx, name, given, &result) < 0) {
            json_decref(given);
            return false;
        }
        ret->error = json_object_get(result, "error") != NULL;
        json_region_dump(result, JSON_COMPACT, &text);
        c->effect |= !ret->error && changes(name);
        json_decref(result);
    }
    json_decref(given);
    *ret = (struct cloud_result){text.data, text.len, ret->error};
    return !text.full;
}

static void run_tools(struct cloud_call *c)
{
    struct cloud_answer *a = &c->answer;
    struct cloud_result *results = region_alloc(&c->room, CLOUD_CALLS_MAX * sizeof(*results));
    struct cloud_json j;
    size_t longest = 0;

    for (size_t i = 0; i < a->tool_count; i++)
        if (a->tools[i].args.len > longest)
            longest = a->tools[i].args.len;
    if (!results || !cloud__json_begin(&j, c->talk.budget, longest)) {
        cloud__no_memory(c);
        return;
    }
    bool fine = true;
    for (size_t i = 0; fine && i < a->tool_count; i++)
        fine = run_tool(c, &a->tools[i], &results[i]);
    if (fine)
        c->mind->codec->round(a, results, &c->rounds);
    cloud__json_end(&j);
    if (!fine || c->rounds.full) {
        cloud__no_memory(c);
        return;
    }
    c->round++;
    c->tries = 0;
    cloud__ask(c);
}

static void round_over(struct cloud_call *c)
{
    struct cloud_answer *a = &c->answer;

    cloud__answer_end(a);
    cloud__flush(c);
    if (a->full) {
        cloud__no_memory(c);
    } else if (a->finish == CLOUD_BOTCHED) {
        c->should_retry = c->botched++ ? -1 : 1;
        cloud__lost(c, MIND_OUTCOME_MALFORMED, 0, "it made a call that it cannot make");
    } else if (a->finish == CLOUD_BLOCK) {
        cloud__blocked(c);
    } else if (a->tool_count && c->round + 1 >= CLOUD_ROUNDS_MAX) {
        cloud__lost(c, MIND_OUTCOME_MALFORMED, 0, "it goes on calling tools without end");
    } else {
        cloud__settle(c, MIND_OUTCOME_OK, 200);
        if (a->tool_count)
            run_tools(c);
        else if (!c->spoke)
            cloud__nothing_said(c);
        else
            cloud__done(c);
    }
}

/* Asking. */

static void begin_request(struct cloud_call *c)
{
    struct cloud_answer *a = &c->answer;

    region_release(&c->room);
    region_release(&c->wire);
    buf_init(&c->body, &c->wire.mem);
    buf_init(&c->said, &c->wire.mem);
    buf_init(&c->refusal, &c->wire.mem);
    c->refusal.max = CLOUD_REFUSAL_MAX;
    c->events = (struct cloud_events){.on_event = on_event, .ctx = c};
    buf_init(&c->events.line, &c->wire.mem);
    buf_init(&c->events.data, &c->wire.mem);
    c->events.data.max = c->events.line.max = CLOUD_EVENT_MAX;
    a->say = on_say;
    a->ctx = c;
    cloud__answer_begin(a, &c->room);
    c->bytes = 0;
    c->retry_ms = 0;
    c->should_retry = 0;
    c->whole = c->worded = false;
}

/* The header that opens the door; empty when there is none. */
static void write_key(struct cloud_call *c, const char *token, struct buf *out)
{
    const char *key = c->mind->cfg.key;

    buf_reserve(out, 1024); /* so that no copy of it is left behind by growing */
    if (token) {
        buf_printf(out, "Authorization: Bearer %s", token);
    } else if (c->mind->id == MIND_GEMINI) {
        buf_str(out, "x-goog-api-key: ");
        if (c->turn->own_key)
            c->turn->own_key(c->turn->key_ctx, out);
        else
            buf_str(out, key ? key : "");
    } else if (key && *key) {
        buf_printf(out, "Authorization: Bearer %s", key);
    }
}

static void send_request(struct cloud_call *c, const char *token)
{
    const struct mind_cfg *all = &c->mind->all;
    struct buf key = BUF_INIT;
    struct err e = {0};

    write_key(c, token, &key);
    const char *const headers[] = {"Content-Type: application/json",
                                   "Accept: text/event-stream, application/json",
                                   key.len ? buf_text(&key) : NULL, NULL};
    int64_t gone = loop_now(all->loop) - c->began_ms;
    const struct http_ask ask = {
        .url = c->mind->url,
        .headers = headers,
        .body = {buf_text(&c->body), c->body.len},
        .connect_ms = all->connect_ms,
        .first_ms = all->first_ms,
        .between_ms = all->between_ms,
        .whole_ms = all->whole_ms > gone ? all->whole_ms - gone : 1,
        .on_header = on_header,
        .on_data = on_data,
        .on_end = on_end,
        .ctx = c,
    };
    c->asked_ns = loop_hrtime_ns();
    if (http_call_start(all->http, &ask, &c->http, &e) < 0)
        cloud__lost_with(c, MIND_OUTCOME_UNREACHABLE, 0, "it cannot be asked", e.msg);
    if (key.data)
        explicit_bzero(key.data, key.cap);
    buf_release(&key);
}

static void on_token(struct gemini_auth_wait *w, const char *token, const struct err *e)
{
    struct cloud_call *c = LIST_ITEM(w, struct cloud_call, auth);

    c->inside++;
    c->waiting = false;
    if (token)
        send_request(c, token);
    else
        cloud__lost_with(c, MIND_OUTCOME_UNREACHABLE, 0, "there is no token for it", e->msg);
    cloud__leave(c);
}

void cloud__ask(struct cloud_call *c)
{
    struct cloud *m = c->mind;
    const struct cloud_request r = {
        .prompt = &m->prompt,
        .turn = c->turn,
        .model = m->cfg.model,
        .rounds = &c->rounds,
        .last = c->round + 1 >= CLOUD_ROUNDS_MAX,
    };

    begin_request(c);
    if (!c->turn->own_key && !breaker_try(&m->breaker, loop_now(m->all.loop))) {
        cloud__lost(c, MIND_OUTCOME_SKIPPED, 0,
                    "it has failed several times and is left alone for a while");
        return;
    }
    c->asking = true;
    m->codec->request(&r, &c->body);
    if (c->body.full) {
        cloud__no_memory(c);
        return;
    }
    if (m->auth && !c->turn->own_key) {
        c->waiting = true;
        c->auth.ready = on_token;
        gemini_auth__get(m->auth, &c->auth);
    } else {
        send_request(c, NULL);
    }
}

static void cloud_start(struct mind *mind, struct mind_turn *turn, const struct mind_sink *sink,
                        struct mind_call **ret)
{
    struct budget *budget = turn->scratch->budget;
    struct cloud_call *c = calloc(1, sizeof(*c));
    struct err e;

    *ret = NULL;
    if (!c || !budget_charge(budget, CONNECTION_BYTES)) {
        free(c);
        err_set(&e, ERR_MIND, 0, "%s: the session's memory budget does not hold a request",
                mind->ops->name);
        sink->fail(sink->ctx, &e);
        return;
    }
    c->charged = CONNECTION_BYTES;
    c->mind = (struct cloud *)mind;
    c->turn = turn;
    c->sink = *sink;
    c->began_ms = loop_now(c->mind->all.loop);
    region_init(&c->talk, budget, 0);
    region_init(&c->wire, budget, 8192);
    region_init(&c->room, budget, 0);
    buf_init(&c->rounds, &c->talk.mem);
    c->inside = 1;
    cloud__ask(c);
    if (!c->over)
        *ret = (struct mind_call *)c;
    cloud__leave(c);
}

static void cloud_stop(struct mind_call *call)
{
    struct cloud_call *c = (struct cloud_call *)call;

    cloud__settle(c, MIND_OUTCOME_STOPPED, 0);
    c->over = true;
    cloud__hang_up(c);
    budget_return(c->talk.budget, c->charged);
    region_release(&c->talk);
    region_release(&c->wire);
    region_release(&c->room);
    if (!c->inside)
        free(c);
}

static void cloud_free(struct mind *mind)
{
    struct cloud *m = (struct cloud *)mind;

    gemini_auth__free(&m->auth);
    buf_release(&m->prompt.system);
    buf_release(&m->prompt.tools);
    free(m->url);
    free(m);
}

static char *url_of(const struct cloud *m)
{
    const struct mind_cloud_cfg *c = &m->cfg;
    int len = (int)strlen(c->url);

    while (len && c->url[len - 1] == '/')
        len--;
    if (m->id == MIND_OPENAI)
        return xprintf("%.*s/chat/completions", len, c->url);
    if (c->vertex)
        return xprintf("%.*s/v1/projects/%s/locations/%s/publishers/google/models/"
                       "%s:streamGenerateContent?alt=sse",
                       len, c->url, c->all->project, c->all->location, c->model);
    return xprintf("%.*s/v1beta/models/%s:streamGenerateContent?alt=sse", len, c->url,
                   c->model);
}

struct mind *cloud__new(enum mind_id id, const struct mind_cloud_cfg *cfg)
{
    static const struct mind_ops ops[MIND__COUNT] = {
        [MIND_OPENAI] = {"openai", cloud_start, cloud_stop, cloud_free, NULL},
        [MIND_GEMINI] = {"gemini", cloud_start, cloud_stop, cloud_free, NULL},
    };
    struct cloud *m = xalloc(sizeof(*m));

    m->base.ops = &ops[id];
    m->id = id;
    m->codec = id == MIND_OPENAI ? &cloud__openai : &cloud__gemini;
    m->all = *cfg->all;
    m->cfg = *cfg;
    m->cfg.all = &m->all;
    m->url = url_of(m);
    if (cfg->vertex)
        m->auth = gemini_auth__new(&m->cfg);
    breaker_init(&m->breaker, BREAKER_FAILURES, BREAKER_FIRST_MS, BREAKER_MOST_MS);
    histogram_init(&m->stats.first_word_seconds, histogram_seconds, histogram_seconds_count);
    cloud__prompt_system(&m->prompt, cfg);
    m->codec->prompt(&m->prompt);
    return &m->base;
}
