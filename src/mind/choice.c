/* Who answers this turn, and who answers when that one cannot. */
#include "mind/cloud_int.h"

#include "bar/bar.h"
#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

struct choice {
    struct mind base;
    struct mind_cfg cfg;
    struct mind *house, *openai, *gemini; /* openai, gemini: NULL when not to be asked */
    uint64_t answers[MIND__COUNT], fallbacks;
};

/* Stands between a provider and the turn, to hear of a failure first. */
struct relay {
    struct choice *choice;
    struct mind_turn *turn;
    struct mind_sink sink;
    struct mind *mind;
    struct mind_call *call;
    bool starting, over;
};

static const char *const names[MIND__COUNT] = {"house", "openai", "gemini"};

const char *mind_name(enum mind_id id)
{
    return id < MIND__COUNT ? names[id] : "unknown";
}

const char *mind_outcome_label(enum mind_outcome o)
{
    static const char *const labels[MIND_OUTCOME__COUNT] = {
#define MIND_OUTCOME(name, label) label,
#include "mind/outcome.def"
#undef MIND_OUTCOME
    };

    return labels[o];
}

const char *mind_token_label(enum mind_token t)
{
    static const char *const labels[MIND_TOKEN__COUNT] = {
#define MIND_TOKEN(name, label) label,
#include "mind/token.def"
#undef MIND_TOKEN
    };

    return labels[t];
}

static bool given(const char *s)
{
    return s && *s;
}

static bool has_openai(const struct mind_cfg *c)
{
    return c->http && given(c->openai_url) &&
           (c->choice == MIND_CHOOSE_AUTO || c->choice == MIND_CHOOSE_OPENAI);
}

static bool may_gemini(const struct mind_cfg *c)
{
    return c->http && (c->choice == MIND_CHOOSE_AUTO || c->choice == MIND_CHOOSE_GEMINI);
}

static bool has_gemini(const struct mind_cfg *c)
{
    return may_gemini(c) && (given(c->gemini_key) || given(c->project));
}

bool mind_asks(const struct mind_cfg *cfg)
{
    return has_openai(cfg) || has_gemini(cfg);
}

static void house_answers(struct choice *c, struct mind_turn *turn,
                          const struct mind_sink *sink)
{
    struct mind_call *none;

    turn->by = MIND_HOUSE;
    c->answers[MIND_HOUSE]++;
    c->house->ops->start(c->house, turn, sink, &none);
    MUST(!none); /* it ends where it begins */
}

static void end(struct relay *r)
{
    r->over = true;
    if (!r->starting)
        free(r);
}

static void on_text(void *ctx, const char *data, size_t len)
{
    struct relay *r = ctx;

    r->sink.text(r->sink.ctx, data, len);
}

static int on_tool(void *ctx, const char *name, json_t *args, json_t **ret)
{
    struct relay *r = ctx;

    return r->sink.call_tool(r->sink.ctx, name, args, ret);
}

static void on_done(void *ctx)
{
    struct relay *r = ctx;
    struct mind_sink sink = r->sink;

    end(r);
    sink.done(sink.ctx);
}

/* Where nothing was said and nothing done. */
static void on_fail(void *ctx, const struct err *e)
{
    struct relay *r = ctx;
    struct choice *c = r->choice;
    struct mind_turn *turn = r->turn;
    struct mind_sink sink = r->sink;

    struct err copy = *e;

    end(r);
    if (copy.code == ERR_SESSION_MEMORY) { /* something was said or done: undone as a whole */
        sink.fail(sink.ctx, &copy);
        return;
    }
    str_copy(turn->why, sizeof(turn->why), copy.msg);
    c->fallbacks++;
    struct region *before = json_region_enter(turn->scratch);
    house_answers(c, turn, &sink);
    json_region_leave(before);
}

static void ask(struct choice *c, struct mind *m, struct mind_turn *turn,
                const struct mind_sink *sink, struct mind_call **ret)
{
    const struct mind_sink between = {
        .text = on_text, .call_tool = on_tool, .done = on_done, .fail = on_fail};
    struct relay *r = calloc(1, sizeof(*r));

    if (!r) {
        house_answers(c, turn, sink);
        return;
    }
    *r = (struct relay){c, turn, *sink, m, NULL, true, false};
    struct mind_sink mine = between;
    mine.ctx = r;
    m->ops->start(m, turn, &mine, &r->call);
    r->starting = false;
    if (r->over)
        free(r);
    else
        *ret = (struct mind_call *)r;
}

static void choice_start(struct mind *m, struct mind_turn *turn, const struct mind_sink *sink,
                         struct mind_call **ret)
{
    struct choice *c = (struct choice *)m;

    *ret = NULL;
    if (c->gemini && (turn->own_key || has_gemini(&c->cfg)))
        ask(c, c->gemini, turn, sink, ret);
    else if (c->openai)
        ask(c, c->openai, turn, sink, ret);
    else
        house_answers(c, turn, sink);
}

/*
 * Folding: a provider is shown what goes as if it had just been said, and asked for a summary.
 * One that cannot leaves it to the rule; and so does one that calls a tool.
 */
struct folding {
    struct relay relay; /* first: freed as one */
    struct mind_turn turn;
    struct mind_memo memo;
};

static int on_fold_tool(void *ctx, const char *name, json_t *args, json_t **ret)
{
    (void)ctx;
    (void)name;
    (void)args;
    (void)ret;
    return -1;
}

static void on_fold_fail(void *ctx, const struct err *e)
{
    struct relay *r = ctx;
    struct mind_sink sink = r->sink;
    struct err copy = *e;

    end(r);
    sink.fail(sink.ctx, &copy);
}

/* What was said at the end of an answer that broke off is no summary. */
static void on_fold_done(void *ctx)
{
    struct relay *r = ctx;
    struct err e;

    if (r->turn->why[0]) {
        err_set(&e, ERR_MIND, 0, "%s", r->turn->why);
        on_fold_fail(ctx, &e);
    } else {
        on_done(ctx);
    }
}

static bool fold_request(const struct mind_fold *f, struct buf *out)
{
    buf_init(out, &f->scratch->mem);
    buf_printf(out,
               "Do not answer the conversation above and call no tool. It is about to be "
               "forgotten. Write what a bartender should remember of this guest from it, in at "
               "most %zu characters of plain text: name, allergies, likes, plans, what was "
               "promised. Leave the orders out. Nothing that was not said.",
               f->max / 2);
    if (f->summary.len)
        buf_printf(out, " Take over what was remembered before: %.*s", STR_FMT(f->summary));
    return !out->full;
}

static void choice_fold(struct mind *m, const struct mind_fold *f, const struct mind_sink *sink,
                        struct mind_call **ret)
{
    static const struct bar_tab nothing;
    struct choice *c = (struct choice *)m;
    struct mind *by = has_gemini(&c->cfg) ? c->gemini : c->openai;
    struct folding *fold = by ? calloc(1, sizeof(*fold)) : NULL;
    struct buf text;
    struct err e;

    *ret = NULL;
    if (!fold || !fold_request(f, &text)) {
        free(fold);
        err_set(&e, ERR_MIND, 0, "nobody is there to fold");
        sink->fail(sink->ctx, &e);
        return;
    }
    struct relay *r = &fold->relay;
    *r = (struct relay){c, &fold->turn, *sink, by, NULL, true, false};
    fold->turn = (struct mind_turn){
        .text = {text.data, text.len},
        .past = f->gone,
        .past_count = f->gone_count,
        .tab = &nothing,
        .memo = &fold->memo,
        .scratch = f->scratch,
        .turn_number = 1,
    };
    const struct mind_sink mine = {.ctx = r,
                                   .text = on_text,
                                   .call_tool = on_fold_tool,
                                   .done = on_fold_done,
                                   .fail = on_fold_fail};
    by->ops->start(by, &fold->turn, &mine, &r->call);
    r->starting = false;
    if (r->over)
        free(fold);
    else
        *ret = (struct mind_call *)r;
}

static void choice_stop(struct mind_call *call)
{
    struct relay *r = (struct relay *)call;

    r->mind->ops->stop(r->call);
    end(r);
}

static void choice_free(struct mind *m)
{
    struct choice *c = (struct choice *)m;

    mind_free(&c->house);
    if (c->openai)
        mind_free(&c->openai);
    if (c->gemini)
        mind_free(&c->gemini);
    free(c);
}

struct mind *mind_new(const struct mind_cfg *cfg, const char *persona,
                      const struct bar_menu *menu, const struct phrases *phrases)
{
    static const struct mind_ops ops = {.name = "choice",
                                        .start = choice_start,
                                        .stop = choice_stop,
                                        .free = choice_free,
                                        .fold = choice_fold};
    struct choice *c = xalloc(sizeof(*c));
    struct mind_cloud_cfg cloud = {
        .all = cfg, .persona = persona, .menu = menu, .phrases = phrases};

    c->base.ops = &ops;
    c->cfg = *cfg;
    c->house = mind_house_new(menu, phrases);
    if (has_openai(cfg)) {
        cloud.url = cfg->openai_url;
        cloud.key = cfg->openai_key;
        cloud.model = given(cfg->openai_model) ? cfg->openai_model : "default";
        c->openai = cloud__new(MIND_OPENAI, &cloud);
    }
    if (may_gemini(cfg)) {
        cloud.url = cfg->gemini_url;
        cloud.key = cfg->gemini_key;
        cloud.model = cfg->gemini_model;
        cloud.vertex = !given(cfg->gemini_key) && given(cfg->project);
        c->gemini = cloud__new(MIND_GEMINI, &cloud);
    }
    return &c->base;
}

void mind_set_keys(struct mind *m, const struct mind_cfg *cfg)
{
    struct choice *c = (struct choice *)m;

    c->cfg.openai_key = cfg->openai_key;
    c->cfg.gemini_key = cfg->gemini_key;
    c->cfg.token = cfg->token;
    if (c->openai)
        cloud__set_key(c->openai, cfg->openai_key, NULL);
    if (c->gemini)
        cloud__set_key(c->gemini, cfg->gemini_key, cfg->token);
}

static void look_at(const struct mind *m, struct mind_provider_stats *ret)
{
    const struct cloud *p = (const struct cloud *)m;

    *ret = p->stats;
    ret->opened = p->breaker.opened;
    ret->breaker = (int)breaker_state(&p->breaker, loop_now(p->all.loop));
}

void mind_stats(const struct mind *m, struct mind_provider_stats *ret)
{
    const struct choice *c = (const struct choice *)m;

    for (int i = 0; i < MIND__COUNT; i++) {
        ret[i] = (struct mind_provider_stats){.answers = c->answers[i]};
        histogram_init(&ret[i].first_word_seconds, histogram_seconds, histogram_seconds_count);
    }
    ret[MIND_HOUSE].fallbacks = c->fallbacks;
    if (c->openai)
        look_at(c->openai, &ret[MIND_OPENAI]);
    if (c->gemini)
        look_at(c->gemini, &ret[MIND_GEMINI]);
}
