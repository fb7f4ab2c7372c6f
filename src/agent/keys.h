/*
 * Keys that people bring: are they good? Part of agent.h, where a page would not hold it. Asks
 * all providers of one request at once, within one limit of time, and gives a verdict on each
 * key: valid, invalid (the provider itself said so), or not checked, and why. key.def has the
 * providers and what they are asked.
 *
 * Owns what it asks and the key while it asks. Knows no session: who gave the keys keeps them
 * or not. A key goes to its own provider and nowhere else; a redirect is not followed.
 */
#pragma once

#include "base/must.h"
#include "base/strs.h"

#include <stdint.h>

struct http_client;

#define AGENT_KEY_MAX 512       /* bytes of a key */
#define AGENT_KEY_CHECKS_MAX 16 /* at once; whoever comes beyond is not checked */

enum agent_key {
#define KEY(name, member, provider, header, path, list) AGENT_KEY_##name,
#include "agent/key.def"
#undef KEY
    AGENT_KEY__COUNT
};
const char *agent_key_name(enum agent_key k); /* "gemini" */

enum agent_key_state {
    AGENT_KEY_NOT_GIVEN,
    AGENT_KEY_VALID,
    AGENT_KEY_INVALID,
    AGENT_KEY_NOT_CHECKED,
    AGENT_KEY_STATE__COUNT
};
const char *agent_key_state_text(enum agent_key_state s); /* "not_checked" */

struct agent_key_verdict {
    enum agent_key_state state;
    char why[160]; /* a sentence for people, without the key; "" when valid or not given */
};

struct agent_keys_cfg { /* texts must outlive it */
    struct http_client *http;
    const char *url[AGENT_KEY__COUNT]; /* addresses of the providers, without the path */
    int64_t limit_ms;                  /* for all of a request; 0: nobody is asked */
};

struct agent_keys;
struct agent_keys *agent_keys_new(const struct agent_keys_cfg *cfg) MUST_USE;
void agent_keys_free(
    struct agent_keys **k); /* before the client; checks that run are dropped */

/* How often a check came to each state: AGENT_KEY__COUNT rows. */
struct agent_keys_stats {
    uint64_t verdicts[AGENT_KEY__COUNT][AGENT_KEY_STATE__COUNT];
};
const struct agent_keys_stats *agent_keys_stats(const struct agent_keys *k);

/* `v` has AGENT_KEY__COUNT of them, until it returns. Called once, maybe inside. */
typedef void agent_keys_done_fn(void *ctx, const struct agent_key_verdict *v);

/*
 * `given` has AGENT_KEY__COUNT texts, empty where there is none, copied. *ret is NULL when it
 * ended inside. `k` may be NULL: nobody is asked.
 */
struct agent_key_check;
void agent_keys_check(struct agent_keys *k, const struct str *given, agent_keys_done_fn *done,
                      void *ctx, struct agent_key_check **ret);
void agent_keys_cancel(struct agent_key_check *c); /* only before `done` */
