/* Private to agent/. */
#pragma once

#include "agent/agent.h"
#include "bar/bar.h"
#include "base/list.h"
#include "mind/mind.h"
#include "safety/safety.h"
#include "session/session.h"
#include "voice/voice.h"

struct limit_bucket { /* a token bucket that refills `rate` a minute, up to `rate` */
    double tokens;
    int64_t at_ms; /* of the last refill; 0: never used, full */
};

#define BURST_RING 16

/* What the agent keeps of a session; in the session's region. */
struct agent_state {
    struct bar_tab tab;
    struct mind_memo memo;
    uint8_t by; /* enum mind_id of the last turn */
};

/* How fast a session talks; aside from its state, so that undoing a turn does not forget it. */
struct agent_pace {
    struct limit_bucket bucket;
    uint32_t burst_ms[BURST_RING];    /* the low bits of the clock; 0: never */
    struct limit_bucket burst_bucket; /* instead of the ring when the limit is larger */
};
_Static_assert(sizeof(struct agent_pace) <= SESSION_ASIDE, "it fits into a session");

struct agent {
    struct agent_cfg cfg;
    char *name, *greeting, *persona;
    const struct voice *speaker;
    struct voice_how voice; /* its texts are those below, or static */
    struct {
        char *language, *from, *name[VOICE__COUNT];
        char *cartesia[3]; /* model, language, emotion */
        struct voice_word *words;
    } voice_texts;
    struct knowledge *knowledge;
    struct bar_menu *menu;
    struct phrases *phrases;
    struct mind *mind;
    struct fold_rules *fold_rules;
    struct safety *safety;
    struct session_table *sessions;
    struct list folding; /* turns whose mind folds */
    struct agent_listener listener;
    struct limit_bucket app_bucket;
    uint64_t seed; /* moves on with every use */
    struct agent_stats stats;
};

struct agent_state *agent__state(const struct session *s);
uint64_t agent__seed(struct agent *a); /* the next of a sequence made from cfg.seed */
int64_t agent__now_ms(const struct agent *a);
int64_t agent__now_s(const struct agent *a);

/* limit.c: 0, or ERR_RATE_LIMITED with the predecessor's words. Counts the attempt. */
int agent__limit(struct agent *a, struct session *s, struct err *e) MUST_USE;

/* fold_words.c: the table of what a person says of themselves (fold.def), made ready */
enum fold_kind {
#define KIND(name, keep) FOLD_##name,
#include "agent/fold.def"
#undef KIND
    FOLD_KIND__COUNT
};
struct fold_rules;
struct fold_rules *fold__rules_new(void) MUST_USE;
void fold__rules_free(struct fold_rules **r);
/*
 * The kinds of a sentence, as bits; 0: nothing to keep. *ret_part is what is to be kept of it:
 * all of it, but of a question only the clause that tells something.
 */
unsigned fold__kinds(const struct fold_rules *r, struct str sentence, struct str *ret_part);

/*
 * fold_rule.c: the summary by rule. `before` is the one so far, the messages are those that
 * go; Maya's are not read. Writes at most `max` bytes of valid UTF-8. False: `out` is full.
 */
bool fold__by_rule(const struct fold_rules *r, struct str before,
                   const struct session_message *first, uint32_t count, size_t max,
                   struct buf *out) MUST_USE;

/* fold.c: fold by rule when it is due. When that fails the session must be reverted. */
int agent__fold(struct agent *a, struct session *s, struct err *e) MUST_USE;

/*
 * state.c: the tail of an answer, kept for its repetition: order, summary and who answered, as
 * they were; three compact JSON texts with newlines between, which none of them has (one that
 * an older Maya kept has two). False: `out` is full.
 */
/* state.c: on a reply that was just said */
void agent__mark(struct session_message *reply, enum mind_id by);
bool agent__tail_write(const struct bar_tab *t, const struct mind_turn *m,
                       const struct safety_hit *hit, struct buf *out) MUST_USE;
void agent__tail_split(struct str tail, struct turn_done *ret);

/* voice.c, voice_cartesia.c */
struct yaml_node;
int agent__read_cartesia(struct agent *a, const struct yaml_node *voice,
                         struct err *e) MUST_USE;
int agent__read_voice(struct agent *a, const struct yaml_node *root, struct err *e) MUST_USE;
void agent__free_voice(struct agent *a);
