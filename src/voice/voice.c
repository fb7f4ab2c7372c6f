/* Who speaks: chosen and loaded once. */
#include "voice/voice_int.h"

#include "base/alloc.h"
#include "base/log.h"

#include <stdlib.h>
#include <string.h>

/* A start has better things to do than to load twenty libraries. */
#define LOAD_AFTER_MS 500

static const struct voice_ops *const providers[VOICE__COUNT] = {
#define VOICE(name, text, ops) &ops,
#include "voice/provider.def"
#undef VOICE
};

const char *voice_outcome_text(enum voice_outcome o)
{
    static const char *const texts[VOICE_OUTCOME__COUNT] = {
#define OUTCOME(name, text) text,
#include "voice/outcome.def"
#undef OUTCOME
    };

    return o < VOICE_OUTCOME__COUNT ? texts[o] : "unknown";
}

static void voice_release(struct voice *v)
{
    if (v->provider)
        v->ops->free(v->provider);
    free(v);
}

/* On the pool: sees nothing that the loop looks at meanwhile. */
static void load(void *ctx)
{
    struct voice *v = ctx;

    if (v->ops->load(v->provider, &v->rate, &v->failed) < 0)
        v->rate = 0;
}

/* Loaded, or nobody speaks. */
static void settle(struct voice *v)
{
    v->pending = false;
    if (v->rate) {
        v->stats.loaded[v->id] = true;
        log_info("voice", "ready", "voice=%s rate=%u", v->ops->name, v->rate);
        return;
    }
    log_warn("voice", "none", "voice=%s error=\"%s\" note=\"answers are text only\"",
             v->ops->name, v->failed.msg);
    v->ops->free(v->provider);
    v->provider = NULL;
    v->id = VOICE__COUNT;
}

static void on_loaded(void *ctx, bool ran)
{
    struct voice *v = ctx;

    v->loading = NULL;
    if (v->freed) {
        voice_release(v);
        return;
    }
    if (!ran)
        err_set(&v->failed, ERR_VOICE, 0, "it was not loaded");
    settle(v);
    speech__loaded(v);
}

void voice__hurry(struct voice *v)
{
    loop_timer_free(&v->later);
    if (v->loading)
        return;
    v->loading = loop_offload(v->cfg.loop, load, on_loaded, v);
    if (!v->loading) /* no memory; the next one with something to say tries again */
        log_debug("voice", "not_loaded", "voice=%s", v->ops->name);
}

static void on_later(void *ctx)
{
    voice__hurry(ctx);
}

/* The provider that MAYA_VOICE names; for "auto" the first of the table. */
static enum voice_id chosen(const char *choice)
{
    if (strcmp(choice, "off") == 0)
        return VOICE__COUNT;
    for (unsigned i = 0; i < VOICE__COUNT; i++)
        if (strcmp(choice, providers[i]->name) == 0)
            return (enum voice_id)i;
    return (enum voice_id)0;
}

int voice_new(const struct voice_cfg *cfg, struct voice **ret, struct err *e)
{
    struct voice *v = xalloc(sizeof(*v));

    v->cfg = *cfg;
    v->id = chosen(cfg->choice);
    list_init(&v->speeches);
    budget_init(&v->own, cfg->own_limit, NULL);
    histogram_init(&v->stats.first_seconds, histogram_seconds, histogram_seconds_count);
    err_set(&v->failed, ERR_VOICE, 0, "%s", err_sentence(ERR_VOICE));
    if (v->id == VOICE__COUNT) {
        *ret = v;
        return 0;
    }
    v->ops = providers[v->id];
    v->provider = v->ops->make(cfg->loop, &v->cfg.how);
    if (strcmp(cfg->choice, "auto") == 0) {
        v->pending = true;
        v->later = loop_after(cfg->loop, LOAD_AFTER_MS, on_later, v);
    } else {
        load(v);
        if (!v->rate) {
            *e = v->failed;
            voice_release(v);
            return -1;
        }
        settle(v);
    }
    *ret = v;
    return 0;
}

void voice_free(struct voice **v)
{
    struct voice *old = *v;

    *v = NULL;
    if (!old)
        return;
    MUST(list_empty(&old->speeches));
    loop_timer_free(&old->later);
    if (!old->loading) {
        voice_release(old);
        return;
    }
    old->freed = true; /* on_loaded() does the rest */
    loop_job_cancel(old->loading);
}

const char *voice_name(const struct voice *v)
{
    return v->id == VOICE__COUNT ? "" : v->ops->name;
}

int voice_ready(struct voice *v, enum voice_format f, struct err *e)
{
    if (v->id == VOICE__COUNT) {
        *e = v->failed;
        return -1;
    }
    return voice__encoder(f)->load(e);
}

const struct voice_stats *voice_stats(const struct voice *v)
{
    return &v->stats;
}
