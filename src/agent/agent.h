/*
 * agent: who the sessions talk to, and one turn of it. Loads the agent folder (persona, menu,
 * phrases, safety, knowledge), limits the rate, and drives one turn through its phases (phase
 * table in turn.c): admit -> scan -> fold -> think (mind, tools) -> commit -> done. Introduces
 * session, mind and bar to each other; knows no HTTP. Never logs what a person or Maya said.
 */
#pragma once

#include "agent/keys.h"
#include "base/err.h"
#include "base/must.h"
#include "base/strs.h"
#include "knowledge/knowledge.h"
#include "metric/metric.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct agent;
struct bar_menu;
struct bar_tab;
struct buf;
struct json_t;
struct mind;
struct mind_cfg;
struct mind_provider_stats;
struct safety;
struct session;
struct session_message;
struct session_state_ops;
struct session_table;
struct turn;
struct voice;
struct voice_how;

/* folder.c: <folder>/agent.yaml, menu.yaml, phrases.yaml, safety.yaml; and knowledge/ */

struct agent_cfg {
    const char *folder;
    const struct mind_cfg *mind;            /* NULL: the house mind, and nobody is asked */
    uint32_t session_rate, app_rate, burst; /* a minute, a minute, in 10 s; 0: off */
    size_t knowledge_bytes; /* of passages that a mind is given in a turn; 0: none are */
    uint64_t seed;
    int64_t (*now_ms)(void *clock_ctx); /* the loop's clock */
    int64_t (*now_s)(void *clock_ctx);  /* unix time */
    uint64_t (*now_ns)(void);           /* for latencies only */
    void *clock_ctx;
};

/* Every complaint has file and line. */
int agent_load(const struct agent_cfg *cfg, struct agent **ret, struct err *e) MUST_USE;
void agent_free(struct agent **a);
void agent_set_sessions(struct agent *a, struct session_table *t);
void agent_set_speaker(struct agent *a, const struct voice *v); /* NULL: nobody */
/* Its rules: tell it the process's own secrets, and whom to ask, before the first turn. */
struct safety *agent_safety(const struct agent *a);
const struct session_state_ops *agent_state_ops(void);
const struct bar_menu *agent_menu(const struct agent *a);
const char *agent_name(const struct agent *a);     /* "Maya" */
const char *agent_greeting(const struct agent *a); /* for a page, before any turn */
const struct knowledge *agent_knowledge(const struct agent *a);
const struct voice_how *agent_voice(const struct agent *a); /* voice: in agent.yaml */
/* Who thought for this session last, and who speaks: "house", "off"; "none" as yet. */
const char *agent_mind_name(const struct agent *a, const struct session *s);
const char *agent_voice_name(const struct agent *a, const struct session *s);

struct bar_tab *agent_tab(const struct session *s);
/* "house": who gave this reply of the session; NULL: not known, an older build kept it. */
const char *agent_answered_by(const struct session *s, const struct session_message *reply);

/* turn.c */

enum turn_outcome {
    TURN_COMPLETED,
    TURN_REPLAYED,
    TURN_STOPPED,
    TURN_REJECTED,
    TURN_LIMITED,
    TURN_OVER_BUDGET,
    TURN_FAILED,
    TURN_OUTCOME__COUNT
};
const char *turn_outcome_text(enum turn_outcome o);

struct turn_request {
    const char *session_id;
    struct str text; /* borrowed until the turn ends; valid UTF-8 */
    size_t charge;   /* bytes of the request that the session's budget carries meanwhile */
    struct str idempotency_key; /* empty: none */
    bool key_once;              /* a gateway's: its answer is kept until the next such one */
    uint64_t started_ns;
};

/*
 * What the turn tells its owner; all on the loop, maybe inside turn_start(). Order: opened,
 * text*, then exactly one of done and fail; nothing after turn_stop().
 * In done and replayed the session is still held: read history, order and tab there and then.
 * A replayed turn (same Idempotency-Key) gives opened, one text, done with replayed set.
 */
struct turn_done {
    const struct session *session;
    struct str said, reply; /* by the person (as it is kept), by the agent */
    bool replayed;
    size_t history_count; /* messages from the oldest in memory, as after that turn */
    uint32_t turn;        /* number of this turn */
    struct str order;     /* current_order and payment_summary as compact JSON text, */
    struct str summary;   /* exactly as first answered */
    struct str mind;      /* {"mind":"house","mind_why":"...","safety":{}}; {}: not known */
};
struct turn_sink {
    void *ctx;
    void (*opened)(void *ctx, const struct session *s, uint32_t turn);
    void (*text)(void *ctx, const char *data, size_t len);
    void (*done)(void *ctx, const struct turn_done *d);
    /* `s` is NULL when the turn never got its session. */
    void (*fail)(void *ctx, const struct session *s, const struct err *e);
};

/* *ret is NULL when it ended inside. */
void turn_start(struct agent *a, const struct turn_request *req, const struct turn_sink *sink,
                struct turn **ret);
/* The person left or wants silence: what the turn changed and did not commit is undone. */
void turn_stop(struct turn *t);
/* Would it be undone? Once it is being committed it stays, and is best let end by itself. */
bool turn_can_stop(const struct turn *t);

/* Time passes: minds that fold too long are stopped. Call it a few times a second. */
void agent_tick(struct agent *a);
/*
 * What a long conversation has folded so far, for people and minds: what the person said of
 * themselves, what was ordered and paid as it is now, and how many turns. Nothing is written
 * when nothing was folded.
 */
void agent_summary(const struct session *s, struct buf *out);

/*
 * "current_order": [...], "payment_summary": {...} of a tab as a JSON object, for answers and
 * for the replay of a turn. New reference; NULL when memory was refused.
 */
struct json_t *agent_tab_json(const struct bar_tab *t);

/* What may change a session outside a turn. */
enum agent_change_kind {
    AGENT_CHANGE_TIP,
    AGENT_CHANGE_KEYS,
    AGENT_CHANGE_RESET, /* a session that cannot be read begins anew, instead of failing */
    AGENT_CHANGE__COUNT
};

/*
 * Who wants to know what happens in any session, whoever caused it. Told once it is durable,
 * also when its owner has gone, after the owner and while the session is still held. Not told
 * of replays, which change nothing.
 */
struct agent_listener {
    void *ctx;
    void (*turn)(void *ctx, const struct turn_done *d);
    void (*changed)(void *ctx, const struct session *s, enum agent_change_kind kind);
};
void agent_listen(struct agent *a, const struct agent_listener *l);

struct agent_stats {
    uint64_t turns[TURN_OUTCOME__COUNT];
    uint32_t turns_now;
    struct histogram turn_seconds, first_word_seconds, session_bytes;
    uint64_t tool_ok[32], tool_error[32]; /* by place in bar_tools() */
    uint64_t folded_by_rule, folded_by_mind;
    uint64_t searches[KNOWLEDGE_OUTCOME__COUNT]; /* of the knowledge */
    struct histogram search_seconds;
};
const struct agent_stats *agent_stats(const struct agent *a);
void agent_set_mind_keys(struct agent *a, const struct mind_cfg *cfg); /* mind_set_keys() */
void agent_mind_stats(const struct agent *a, struct mind_provider_stats *ret); /* MIND__COUNT */

/* Only look at a session: session_open() with the agent's clocks, SESSION_LOOK. */
struct session_wait;
void agent_look(struct agent *a, const char *session_id, struct session_wait *w);

/* change.c: a change outside a turn (tip, keys, reset): open, apply, commit, leave. */

typedef int agent_apply_fn(void *ctx, struct session *s, struct err *e);
/* `s` is held and durable, or NULL with an error. Called once, maybe inside. */
typedef void agent_changed_fn(void *ctx, struct session *s, const struct err *e);

const char *agent_change_text(enum agent_change_kind k); /* "tip" */

/*
 * `apply` fails: nothing is changed and `done` gets its error. *ret is NULL when it ended
 * inside. The owner may go away with agent_change_abandon(): nobody is told any more, and what
 * was not yet applied never is.
 */
struct agent_change;
void agent_change_start(struct agent *a, const char *session_id, enum agent_change_kind kind,
                        agent_apply_fn *apply, agent_changed_fn *done, void *ctx,
                        struct agent_change **ret);
void agent_change_abandon(struct agent_change *c);
