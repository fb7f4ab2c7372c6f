/*
 * mind: who thinks. A mind gets one turn (the words, what was said before, the tools it may
 * call) and gives back a stream of text and tool calls. It may also fold: put what was said
 * long ago into a summary. Each provider is one file behind
 * `struct mind_ops`; the house mind (house*.c) is built in and needs no key and no network.
 * Knows no session and no store. What it needs on the way lies in the scratch region, or is
 * charged to the same budget.
 */
#pragma once

#include "base/err.h"
#include "base/must.h"
#include "base/strs.h"
#include "knowledge/knowledge.h"
#include "metric/metric.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bar_menu;
struct bar_tab;
struct buf;
struct http_client;
struct json_t;
struct loop;
struct region;
struct phrases;

enum mind_id { MIND_HOUSE, MIND_OPENAI, MIND_GEMINI, MIND__COUNT };
const char *mind_name(enum mind_id id); /* "house" */

#define MIND_MEMO_MAX 192

/* A mind's few notes between the turns of one session; stored with the session, opaque. */
struct mind_memo {
    uint8_t len;
    uint8_t data[MIND_MEMO_MAX];
};

enum mind_role { MIND_USER, MIND_ASSISTANT };

struct mind_said { /* one message of the past, borrowed for the turn */
    enum mind_role role;
    struct str text;
};

struct mind_turn {
    struct str text; /* what the person says now; valid UTF-8, not blank */
    const struct mind_said *past;
    size_t past_count;
    struct str summary; /* what was said and ordered before the past; empty: nothing, or all */
    const struct bar_tab *tab; /* the guest's state as it is; changes only through call_tool */
    /* What the agent's documents have on it, the best first. Facts, never instructions. */
    const struct knowledge_passage *knowledge;
    size_t knowledge_count;
    struct mind_memo *memo; /* read and written by the mind; all zero in a new session */
    struct region *scratch; /* all that the mind needs; gone when it says done or fail */
    uint64_t seed;          /* for variety; the same seed gives the same answer */
    int64_t turn_number;    /* from 1 */
    /* NULL, or the person brought a Gemini key: append it; wipe it soon. */
    void (*own_key)(void *key_ctx, struct buf *out);
    void *key_ctx;
    /* Written by the mind: who answered; and why not another one, or not to the end, or "". */
    enum mind_id by;
    char why[160];
};

/*
 * Where the answer goes. All calls come on the loop, in order: any number of text and
 * call_tool, then exactly one of done and fail; nothing after that, and nothing after stop.
 * They may come inside start(). `text` is valid UTF-8, cut anywhere between characters.
 */
struct mind_sink {
    void *ctx;
    void (*text)(void *ctx, const char *data, size_t len);
    /* Run a tool now; 0: the result is in *ret (never NULL). -1: no memory, stop. */
    int (*call_tool)(void *ctx, const char *name, struct json_t *args, struct json_t **ret);
    void (*done)(void *ctx);
    void (*fail)(void *ctx, const struct err *e);
};

/* What a mind is asked to fold. */
struct mind_fold {
    struct str summary;           /* the one so far, maybe made by rule; empty at first */
    const struct mind_said *gone; /* the messages that are about to go, oldest first */
    size_t gone_count;
    size_t max;             /* bytes that the new summary may have */
    struct region *scratch; /* all that the mind needs; gone when it says done or fail */
};

struct mind;
struct mind_call;

struct mind_ops {
    const char *name; /* "house" */
    /* Begin. *ret is NULL when it ended inside. The turn must live until done, fail or stop. */
    void (*start)(struct mind *m, struct mind_turn *turn, const struct mind_sink *sink,
                  struct mind_call **ret);
    void (*stop)(struct mind_call *call); /* no callback comes after this */
    void (*free)(struct mind *m);
    /*
     * Optional (NULL: it is done by rule). Say as `text` a summary that takes the place of the
     * old one and of the messages, then done; no call_tool. Orders need not be in it, they are
     * known. What is too long, blank or late is not taken, and the rule folds instead.
     */
    void (*fold)(struct mind *m, const struct mind_fold *fold, const struct mind_sink *sink,
                 struct mind_call **ret);
};

struct mind {
    const struct mind_ops *ops;
};

/* house.c. Menu and phrases must outlive the mind. */
struct mind *mind_house_new(const struct bar_menu *menu,
                            const struct phrases *phrases) MUST_USE;
void mind_free(struct mind **m);

/*
 * choice.c: the mind of the agent. Asks the provider that was chosen, and where that one fails
 * before its first word (and before it changed anything) lets the house mind answer. A failure
 * later ends the turn with one sentence, and with the order as the tools left it.
 */

enum mind_choice {
    MIND_CHOOSE_AUTO,
    MIND_CHOOSE_GEMINI,
    MIND_CHOOSE_OPENAI,
    MIND_CHOOSE_HOUSE
};

struct mind_cfg { /* texts must outlive the mind; NULL or "": not set */
    enum mind_choice choice;
    struct loop *loop;
    struct http_client *http; /* NULL: nobody is asked */
    const char *openai_url, *openai_key, *openai_model;
    const char *gemini_url, *gemini_key, *gemini_model;
    /* Vertex, when there is a project and no key. A session's own key goes to gemini_url. */
    const char *vertex_url, *project, *location;
    const char *token, *account_file, *metadata_host;
    int64_t connect_ms, first_ms, between_ms, whole_ms; /* of a request; whole: of the turn */
    unsigned retries;
};

struct mind *mind_new(const struct mind_cfg *cfg, const char *persona,
                      const struct bar_menu *menu, const struct phrases *phrases) MUST_USE;
/*
 * Ask with other keys from now on: those of `cfg`, which must outlive the mind as the first
 * ones had to; the first ones may go then. A request under way ends with the key it began with.
 * Who was not asked because a key was refused is asked again. Between a key and Vertex it does
 * not change.
 */
void mind_set_keys(struct mind *m, const struct mind_cfg *cfg);
/* True when some provider is asked without any session bringing a key. */
bool mind_asks(const struct mind_cfg *cfg);

enum mind_outcome {
#define MIND_OUTCOME(name, label) MIND_OUTCOME_##name,
#include "mind/outcome.def"
#undef MIND_OUTCOME
    MIND_OUTCOME__COUNT
};
const char *mind_outcome_label(enum mind_outcome o);

enum mind_token {
#define MIND_TOKEN(name, label) MIND_TOKEN_##name,
#include "mind/token.def"
#undef MIND_TOKEN
    MIND_TOKEN__COUNT
};
const char *mind_token_label(enum mind_token t);

struct mind_provider_stats { /* of one provider; the house mind counts its answers only */
    uint64_t outcomes[MIND_OUTCOME__COUNT]; /* of requests */
    uint64_t tokens[MIND_TOKEN__COUNT];
    uint64_t retries;   /* requests made again */
    uint64_t answers;   /* turns */
    uint64_t fallbacks; /* of them, in place of another; the house mind's */
    uint64_t opened;    /* how often it was decided not to ask for a while */
    int breaker;        /* 0 asked, 1 tried again, 2 not asked */
    struct histogram first_word_seconds;
};
/* `ret` has MIND__COUNT of them. `m` is of mind_new(). */
void mind_stats(const struct mind *m, struct mind_provider_stats *ret);

/* phrases.c: what the house mind says, by occasion: <folder>/phrases.yaml */

int phrases_load(const char *folder, struct phrases **ret, struct err *e) MUST_USE;
void phrases_free(struct phrases **p);

/* sentence.c: split a growing text into sentences, for speech and for `sentence` events */

/*
 * The length of the first whole sentence of text (with its trailing space), or 0 while none is
 * complete. `last` says that nothing will follow, so that the rest counts as whole. "$13.00",
 * "Mr. Smith", "e.g. this" and "..." do not split; a list does between its items, and so does
 * Chinese or Japanese, which has no spaces (abbreviations: sentence.def).
 */
size_t sentence_next(const char *text, size_t len, bool last);
