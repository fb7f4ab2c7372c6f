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

const char *voice_asked_text(enum voice_asked a)
{
    static const char *const texts[VOICE_ASKED__COUNT] = {
#define ASKED(name, text) text,
#include "voice/asked.def"
#undef ASKED
    };

    return a < VOICE_ASKED__COUNT ? texts[a] : "unknown";
}

const char *voice_text(enum voice_id id)
{
    return id < VOICE__COUNT ? providers[id]->name : "";
}

static bool loading(const struct voice *v)
{
    for (unsigned i = 0; i < VOICE__COUNT; i++)
        if (v->seats[i].loading)
            return true;
    return false;
}

/* One that is being loaded goes when that ends; what the others have may not last so long. */
static void voice_release(struct voice *v)
{
    for (unsigned i = 0; i < VOICE__COUNT; i++) {
        struct voice_seat *seat = &v->seats[i];
        if (seat->provider && !seat->loading) {
            seat->ops->free(seat->provider);
            seat->provider = NULL;
        }
    }
    if (!loading(v))
        free(v);
}

/* On the pool, maybe: sees nothing that the loop looks at meanwhile. */
static void load(void *ctx)
{
    struct voice_seat *seat = ctx;

    if (seat->ops->load(seat->provider, &seat->rate, &seat->failed) < 0)
        seat->rate = 0;
}

/* Loaded, or it does not speak. */
static void settle(struct voice *v, struct voice_seat *seat)
{
    if (seat->rate) {
        seat->state = SEAT_READY;
        v->stats.loaded[seat - v->seats] = !seat->own_only;
        log_info("voice", "ready", "voice=%s rate=%u%s", seat->ops->name, seat->rate,
                 seat->own_only ? " for=\"who brings a key\"" : "");
        return;
    }
    seat->state = SEAT_ABSENT;
    seat->ops->free(seat->provider);
    seat->provider = NULL;
    log_warn("voice", "none", "voice=%s error=\"%s\"%s", seat->ops->name, seat->failed.msg,
             voice__next(v, 0, false) == VOICE__COUNT ? " note=\"answers are text only\"" : "");
}

static void on_loaded(void *ctx, bool ran)
{
    struct voice_seat *seat = ctx;
    struct voice *v = seat->voice;

    seat->loading = NULL;
    if (v->freed) {
        voice_release(v);
        return;
    }
    if (!ran)
        err_set(&seat->failed, ERR_VOICE, 0, "it was not loaded");
    settle(v, seat);
    speech__loaded(v);
}

void voice__hurry(struct voice *v, enum voice_id id)
{
    struct voice_seat *seat = &v->seats[id];

    if (seat->loading || seat->state != SEAT_PENDING)
        return;
    seat->loading = loop_offload(v->cfg.loop, load, on_loaded, seat);
    if (!seat->loading) /* no memory; the next one with something to say tries again */
        log_debug("voice", "not_loaded", "voice=%s", seat->ops->name);
}

static void on_later(void *ctx)
{
    struct voice *v = ctx;

    loop_timer_free(&v->later);
    for (unsigned i = 0; i < VOICE__COUNT; i++)
        voice__hurry(v, (enum voice_id)i);
}

enum voice_id voice__next(const struct voice *v, unsigned from, bool own)
{
    for (unsigned i = from; i < VOICE__COUNT; i++) {
        const struct voice_seat *seat = &v->seats[i];
        bool there = seat->state == SEAT_PENDING || seat->state == SEAT_READY;
        if (there && (own || !seat->own_only))
            return (enum voice_id)i;
    }
    return VOICE__COUNT;
}

/* The table is in order: who is named, and those that stand in for it. Some need a network. */
static bool wanted(const struct voice_cfg *cfg, unsigned id)
{
    unsigned first = 0;

    if (strcmp(cfg->choice, "off") == 0)
        return false;
    for (unsigned i = 0; i < VOICE__COUNT; i++)
        if (strcmp(cfg->choice, providers[i]->name) == 0)
            first = i;
    return id >= first && (!providers[id]->bytes || cfg->http);
}

/* Take a seat. One that takes no time to load, or that was named, is loaded now. */
static int seat_voice(struct voice *v, unsigned id, struct err *e)
{
    struct voice_seat *seat = &v->seats[id];
    bool named = strcmp(v->cfg.choice, providers[id]->name) == 0;

    seat->ops = providers[id];
    seat->voice = v;
    if (!wanted(&v->cfg, id))
        return 0;
    seat->provider = seat->ops->make(&v->cfg, &v->stats.asks[id]);
    seat->own_only = id == VOICE_CARTESIA && !v->cfg.cartesia_key;
    seat->state = SEAT_PENDING;
    if (!named && !seat->ops->bytes)
        return 0;
    load(seat);
    if (!seat->rate && named) {
        *e = seat->failed;
        return -1;
    }
    settle(v, seat);
    return 0;
}

int voice_new(const struct voice_cfg *cfg, struct voice **ret, struct err *e)
{
    struct voice *v = xalloc(sizeof(*v));

    v->cfg = *cfg;
    list_init(&v->speeches);
    budget_init(&v->own, cfg->own_limit, NULL);
    histogram_init(&v->stats.first_seconds, histogram_seconds, histogram_seconds_count);
    for (unsigned i = 0; i < VOICE__COUNT; i++)
        if (seat_voice(v, i, e) < 0) {
            voice_release(v);
            return -1;
        }
    for (unsigned i = 0; i < VOICE__COUNT; i++)
        if (v->seats[i].state == SEAT_PENDING && !v->later)
            v->later = loop_after(cfg->loop, LOAD_AFTER_MS, on_later, v);
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
    old->freed = true; /* on_loaded() does the rest */
    for (unsigned i = 0; i < VOICE__COUNT; i++)
        if (old->seats[i].loading)
            loop_job_cancel(old->seats[i].loading);
    voice_release(old);
}

void voice_set_cartesia_key(struct voice *v, const char *key)
{
    struct voice_seat *seat = &v->seats[VOICE_CARTESIA];

    v->cfg.cartesia_key = key && *key ? key : NULL;
    seat->own_only = !v->cfg.cartesia_key;
    if (!seat->provider)
        return;
    v->stats.loaded[VOICE_CARTESIA] = seat->state == SEAT_READY && !seat->own_only;
    cartesia__key_changed(seat->provider);
}

const char *voice_name(const struct voice *v)
{
    return voice_text(voice__next(v, 0, false));
}

const char *voice_name_own(const struct voice *v)
{
    return voice_text(voice__next(v, 0, true));
}

void voice__why_silent(const struct voice *v, struct err *e)
{
    err_set(e, ERR_VOICE, 0, "%s", err_sentence(ERR_VOICE));
    for (unsigned i = 0; i < VOICE__COUNT; i++)
        if (v->seats[i].state == SEAT_ABSENT)
            *e = v->seats[i].failed;
}

int voice_ready(struct voice *v, enum voice_format f, struct err *e)
{
    if (voice__next(v, 0, true) != VOICE__COUNT)
        return voice__encoder(f)->load(e);
    voice__why_silent(v, e);
    return -1;
}

const struct voice_stats *voice_stats(const struct voice *v)
{
    for (unsigned i = 0; i < VOICE__COUNT; i++)
        if (v->seats[i].provider && v->seats[i].ops->look)
            v->seats[i].ops->look(v->seats[i].provider);
    return &v->stats;
}
