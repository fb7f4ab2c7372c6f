#include "cli/serve_secrets.h"

#include "agent/agent.h"
#include "api/api.h"
#include "base/files.h"
#include "base/log.h"
#include "config/config.h"
#include "mind/mind.h"
#include "net/net.h"
#include "safety/safety.h"
#include "seal/seal.h"
#include "voice/voice.h"

#include <signal.h>
#include <string.h>

#define LOOK_MS 500

enum part { PART_NONE, PART_SEAL, PART_API, PART_MINDS, PART_SAFETY, PART_VOICE };

static const enum part part_of[CONFIG__COUNT] = {
#define ROTATES(option, part) [C_##option] = PART_##part,
#include "cli/rotate.def"
#undef ROTATES
};

static const char *or_null(const char *s)
{
    return s && *s ? s : NULL;
}

/* On the pool. The loop changes neither config nor keys meanwhile: only take() does. */
static void read_again(struct serve_secrets *s)
{
    s->read = true;
    s->failed = config_reread(s->config, &s->fresh, &s->e) < 0;
    if (s->failed || (!config_fresh_differs(s->fresh, C_MASTER_KEY) &&
                      !config_fresh_differs(s->fresh, C_MASTER_KEY_OLD)))
        return;
    const char *master = config_fresh_text(s->fresh, C_MASTER_KEY);
    s->failed = seal_change_new(s->seal, master, config_fresh_text(s->fresh, C_MASTER_KEY_OLD),
                                &s->keys, &s->e) < 0;
}

static void work(void *ctx)
{
    struct serve_secrets *s = ctx;

    s->now = config_look(s->config);
    s->read = s->failed = false;
    if (!s->now)
        return; /* no memory: another time */
    bool changed = s->seen && files_changed(s->seen, s->now);
    if (s->forced || (s->unsettled && !changed))
        read_again(s);
    s->unsettled = changed;
}

/* The key ring first: what it refuses changes nothing. */
static bool take_keys(struct serve_secrets *s)
{
    struct seal_key_info key;
    bool kept = true;
    struct err e;

    if (!s->keys)
        return true;
    int rc = seal_change_take(s->seal, s->keys, &kept, &e);
    seal_change_free(&s->keys);
    if (rc < 0) {
        log_error("secrets", "not_taken", "option=MAYA_MASTER_KEY error=\"%s\"", e.msg);
        return false;
    }
    seal_key_info(s->seal, 0, &key);
    log_info("seal", "key", "id=%s older=%u from=\"changed in MAYA_MASTER_KEY\"", key.id,
             seal_key_count(s->seal) - 1);
    if (!kept)
        log_warn("seal", "key_not_kept",
                 "note=\"MAYA_MASTER_KEY_OLD does not have the key that sealed until now; add "
                 "it, or a start before all sessions are sealed again cannot read the rest\"");
    return true;
}

static void tell(struct serve_secrets *s, enum part part)
{
    const struct config *c = s->config;

    if (part == PART_API)
        api_set_admin_token(s->api, config_text(c, C_ADMIN_TOKEN));
    if (part == PART_SAFETY)
        safety_set_moderation_key(agent_safety(s->agent), config_text(c, C_MODERATION_KEY));
    if (part == PART_VOICE) {
        voice_set_cartesia_key(s->voice, config_text(c, C_CARTESIA_KEY));
        ears_set_cartesia_key(s->ears, config_text(c, C_CARTESIA_KEY));
    }
    if (part != PART_MINDS)
        return;
    s->mind->gemini_key = or_null(config_text(c, C_GEMINI_KEY));
    s->mind->openai_key = or_null(config_text(c, C_OPENAI_KEY));
    s->mind->token = or_null(config_text(c, C_VERTEX_TOKEN));
    agent_set_mind_keys(s->agent, s->mind);
}

static void take_one(struct serve_secrets *s, enum config_id id)
{
    struct buf text = BUF_INIT;
    struct err e;

    config_describe(s->config, id, &text);
    if (!config_fresh_text(s->fresh, id)) {
        log_warn("secrets", "gone",
                 "option=\"%s\" note=\"what is in memory goes on until the "
                 "next start\"",
                 buf_text(&text));
    } else if (part_of[id] == PART_NONE) {
        log_warn("secrets", "later",
                 "option=\"%s\" note=\"it has changed, and counts from the "
                 "next start\"",
                 buf_text(&text));
    } else if (config_take(s->config, s->fresh, id, &e) < 0) {
        log_error("secrets", "not_taken", "error=\"%s\"", e.msg);
    } else {
        tell(s, part_of[id]);
        /* No answer may hold it; without memory for that the rules still know most forms. */
        (void)safety_own_secret(agent_safety(s->agent), config_text(s->config, id));
        buf_clear(&text);
        config_describe(s->config, id, &text);
        log_info("secrets", "changed", "option=\"%s\"", buf_text(&text));
    }
    buf_release(&text);
}

static void take(struct serve_secrets *s)
{
    bool keys = take_keys(s);

    for (int id = 0; id < CONFIG__COUNT; id++)
        if (config_fresh_differs(s->fresh, (enum config_id)id) &&
            (keys || part_of[id] != PART_SEAL))
            take_one(s, (enum config_id)id);
}

static void done(void *ctx, bool ran)
{
    struct serve_secrets *s = ctx;

    s->job = NULL;
    if (ran && s->now) {
        files_free(&s->seen);
        s->seen = s->now;
        s->now = NULL;
    }
    /* Without memory: again in half a second. */
    s->asked |= s->forced && (!ran || !s->read);
    s->asked |= s->read && s->failed && s->e.code == ERR_NOMEM;
    if (ran && s->read && !s->over) {
        if (s->failed)
            log_error("secrets", "not_read", "error=\"%s\" note=\"what is in memory goes on\"",
                      s->e.msg);
        else
            take(s);
    }
    seal_change_free(&s->keys);
    config_fresh_free(&s->fresh);
}

static void look(void *ctx)
{
    struct serve_secrets *s = ctx;

    if (s->job || s->over)
        return;
    s->forced = s->asked;
    s->job = loop_offload(s->loop, work, done, s);
    s->asked = s->asked && !s->job;
}

static void on_signal(void *ctx, int signum)
{
    struct serve_secrets *s = ctx;

    (void)signum;
    log_info("secrets", "asked", "signal=SIGUSR1");
    s->asked = true; /* one under way may have read them before: then another follows */
    look(s);
}

int serve__secrets_begin(struct serve_secrets *s, struct err *e)
{
    s->asked = true; /* what changed while all was made */
    s->timer = loop_every(s->loop, LOOK_MS, look, s);
    return loop_signal(s->loop, SIGUSR1, on_signal, s, e);
}

void serve__secrets_end(struct serve_secrets *s)
{
    s->over = true;
    loop_timer_free(&s->timer);
}

void serve__secrets_release(struct serve_secrets *s)
{
    files_free(&s->seen);
    files_free(&s->now);
}
