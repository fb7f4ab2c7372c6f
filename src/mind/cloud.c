/*
 * A mind that is asked over the network, one turn of it: ask, speak as words come, run the
 * tools that were called when the answer is whole, ask again with their results.
 */
#include "mind/cloud_int.h"

#include "bar/bar.h"
#include "base/alloc.h"
#include "base/curl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* What a connection of libcurl costs while it runs: handle, buffers, socket (measured). */
#define CONNECTION_BYTES ((size_t)26 * 1024)
/* What the answer of a tool that changes the order may take, by its lines (measured: at most
 * 8 KiB and 2.7 KiB a line, with what a region holds in advance). */
#define TOOL_BYTES ((size_t)8 * 1024)
#define TOOL_LINE_BYTES ((size_t)3 * 1024)
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

void cloud__on_say(void *ctx, const char *text, size_t len)
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

void cloud__on_event(void *ctx, const char *data, size_t len)
{
    struct cloud_call *c = ctx;

    if (faulty(c) || c->answer.ended)
        return;
    c->heard_ms = loop_now(c->mind->all.loop);
    struct region *before = json_region_enter(&c->parse);
    c->mind->codec->event(&c->answer, data, len);
    json_region_leave(before);
    region_release(&c->parse);
}

/* Comments come so that proxies keep the connection, and say nothing to anybody. */
static bool silent(const struct cloud_call *c)
{
    const struct mind_cfg *all = &c->mind->all;
    int64_t most = c->worded ? all->between_ms : all->first_ms;

    return !c->whole && loop_now(all->loop) - c->heard_ms >= most;
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
    else if (silent(c))
        cloud__lost(c, MIND_OUTCOME_TIMEOUT, 0, "it took too long");
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

void cloud__on_data(void *ctx, int status, const char *data, size_t len)
{
    struct cloud_call *c = ctx;

    c->inside++;
    if (status == 200)
        read_answer(c, data, len);
    else
        buf_add(&c->refusal, data, len);
    cloud__leave(c);
}

#define DELAY_MOST_S 1000000 /* what is longer is no delay but a mistake */

static int64_t number_of(const char *text, double unit_ms)
{
    double v;

    return str_to_double(text, &v) && v >= 0 && v < DELAY_MOST_S ? (int64_t)(v * unit_ms) : 0;
}

/* Retry-After: seconds, or the time of day in one of HTTP's forms (RFC 9110, 5.6.7). */
static int64_t delay_of(const char *text)
{
    int64_t left_s;

    if (!(*text >= 'A' && *text <= 'Z'))
        return number_of(text, 1000);
    left_s = (int64_t)curl_lib.getdate(text, NULL) - loop_unix_s();
    return left_s > 0 && left_s < DELAY_MOST_S ? left_s * 1000 : 0;
}

void cloud__on_header(void *ctx, int status, struct str name, struct str value)
{
    struct cloud_call *c = ctx;
    char text[40];

    (void)status;
    snprintf(text, sizeof(text), "%.*s", (int)(value.len < 39 ? value.len : 39), value.data);
    if (str_eq_nocase(name, "content-type"))
        c->whole = value.len >= 16 && strncasecmp(value.data, "application/json", 16) == 0;
    else if (str_eq_nocase(name, "retry-after-ms"))
        c->retry_ms = number_of(text, 1);
    else if (str_eq_nocase(name, "retry-after") && !c->retry_ms)
        c->retry_ms = delay_of(text);
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

/* For people outside: without addresses of the operator's network. */
static const char *why_of(enum http_lost lost)
{
    if (lost == HTTP_LOST_CERTIFICATE)
        return "its certificate does not verify";
    switch (outcome_of(lost)) {
    case MIND_OUTCOME_TIMEOUT:
        return "it took too long";
    case MIND_OUTCOME_CUT:
        return "it broke the connection off";
    default:
        return "it cannot be reached";
    }
}

/* Another status than 200: what is said in its body, and whether it is worth another try. */
static void refused(struct cloud_call *c, int status)
{
    struct cloud_refusal r = {0};
    bool full; /* then its status has to do */
    char why[80];

    struct region *before = json_region_enter(&c->parse);
    json_t *body = cloud__json(buf_text(&c->refusal), c->refusal.len, &full);
    c->mind->codec->refusal(body, &r);
    json_region_leave(before);
    region_release(&c->parse);
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

void cloud__on_end(void *ctx, int status, enum http_lost lost, const struct err *e)
{
    struct cloud_call *c = ctx;

    c->inside++;
    c->http = NULL;
    if (lost != HTTP_LOST_NONE) {
        cloud__lost_with(c, outcome_of(lost), 0, why_of(lost), e->msg);
    } else if (status != 200) {
        refused(c, status);
    } else {
        if (c->whole)
            cloud__on_event(c, buf_text(&c->events.data), c->events.data.len);
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

/*
 * May it begin? What is done cannot be undone by this mind: as long as nothing was, one whose
 * answer might not fit is left to the house mind, which has all that this one gives back.
 */
static bool room_for_tool(const struct cloud_call *c, const char *name)
{
    size_t lines = (size_t)c->turn->tab->line_count;

    return c->spoke || c->effect || !changes(name) ||
           budget_fits(c->talk.budget, TOOL_BYTES + lines * TOOL_LINE_BYTES);
}

/* Run one tool; false: no memory. Arguments that are no object are told in words. */
static bool run_tool(struct cloud_call *c, const struct cloud_tool *t, struct cloud_result *ret)
{
    const char *name = buf_text(&t->name);
    struct str args = str_trim((struct str){buf_text(&t->args), t->args.len});
    bool full = false;
    json_t *given = args.len ? cloud__json(args.data, args.len, &full) : json_object();
    json_t *result = NULL;
    struct buf text;

    buf_init(&text, &c->room.mem);
    if (args.len && !full && !json_is_object(given)) {
        buf_str(&text, "{\"status\":\"error\",\"error\":\"INVALID_ARGUMENT\",\"message\":\"the "
                       "arguments are not a JSON object; nothing was done\"}");
        ret->error = true;
    } else {
        if (!given || !room_for_tool(c, name) ||
            c->sink.call_tool(c->sink.ctx, name, given, &result) < 0) {
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
    struct region *before = json_region_enter(&c->room);
    bool fine = results != NULL;

    for (size_t i = 0; fine && i < a->tool_count; i++)
        fine = run_tool(c, &a->tools[i], &results[i]);
    if (fine)
        c->mind->codec->round(a, results, &c->rounds);
    json_region_leave(before);
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

/* The mind. */

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
    region_init(&c->wire, budget, 0);
    region_init(&c->room, budget, 0);
    region_init(&c->parse, budget, 0);
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
    cloud__release(c);
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
    free(m->own_url);
    free(m);
}

static char *url_of(const struct cloud *m, const char *base, bool vertex)
{
    const struct mind_cloud_cfg *c = &m->cfg;
    int len = (int)strlen(base);

    while (len && base[len - 1] == '/')
        len--;
    if (m->id == MIND_OPENAI)
        return xprintf("%.*s/chat/completions", len, base);
    if (vertex)
        return xprintf("%.*s/v1/projects/%s/locations/%s/publishers/google/models/"
                       "%s:streamGenerateContent?alt=sse",
                       len, base, c->all->project, c->all->location, c->model);
    return xprintf("%.*s/v1beta/models/%s:streamGenerateContent?alt=sse", len, base, c->model);
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
    m->url = url_of(m, cfg->vertex ? cfg->all->vertex_url : cfg->url, cfg->vertex);
    m->own_url = url_of(m, cfg->url, false);
    if (cfg->vertex)
        m->auth = gemini_auth__new(&m->cfg);
    breaker_init(&m->breaker, BREAKER_FAILURES, BREAKER_FIRST_MS, BREAKER_MOST_MS);
    histogram_init(&m->stats.first_word_seconds, histogram_seconds, histogram_seconds_count);
    cloud__prompt_system(&m->prompt, cfg);
    m->codec->prompt(&m->prompt);
    return &m->base;
}

void cloud__set_key(struct mind *m, const char *key, const char *token)
{
    struct cloud *p = (struct cloud *)m;

    p->cfg.key = key;
    if (p->auth)
        gemini_auth__set_token(p->auth, token);
    breaker_good(&p->breaker);
}
