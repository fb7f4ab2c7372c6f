/*
 * safety: what must not come in, and what must not get out. A table of rules from
 * <agent folder>/safety.yaml is matched against what a person says and, while it streams,
 * against what a mind says; an endpoint in OpenAI's form of /v1/moderations may be asked about
 * what comes in.
 *
 * Owns the rules, their compiled patterns (PCRE2) and copies of the process's own secrets.
 * Knows no session, no turn and no mind; what it needs while it scans is made when it is
 * loaded, so that no scan allocates. Never logs a text. docs/safety.md says what is recognised.
 */
#pragma once

#include "base/err.h"
#include "base/must.h"
#include "base/secret.h"
#include "base/strs.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct http_client;
struct loop;
struct region;
struct safety;

enum safety_kind {
#define SAFETY_KIND(name, label) SAFETY_##name,
#include "safety/kind.def"
#undef SAFETY_KIND
    SAFETY_KIND__COUNT
};
enum safety_action {
#define SAFETY_ACTION(name, label) SAFETY_##name,
#include "safety/kind.def"
#undef SAFETY_ACTION
    SAFETY_ACTION__COUNT
};
enum safety_where {
#define SAFETY_WHERE(name, label) SAFETY_##name,
#include "safety/kind.def"
#undef SAFETY_WHERE
    SAFETY_WHERE__COUNT
};
const char *safety_kind_label(enum safety_kind k);
const char *safety_action_label(enum safety_action a);
const char *safety_where_label(enum safety_where w);

/* rules.c: <folder>/safety.yaml. Without the file: the secrets of secret.def, nothing else. */

/* Every complaint has file and line; that of a pattern also what PCRE2 says, and where. */
int safety_load(const char *folder, struct safety **ret, struct err *e) MUST_USE;
void safety_free(struct safety **s);
size_t safety_rule_count(const struct safety *s);

/*
 * A secret of this process, copied, also while it serves; one of less than 8 bytes could be any
 * word: left out. False: no memory.
 */
#define SAFETY_OWN_MIN 8
bool safety_own_secret(struct safety *s, const char *value);

/* What a rule found. Texts live as long as `struct safety`. */
struct safety_hit {
    const char *rule; /* NULL: nothing */
    enum safety_kind kind;
    enum safety_where where;
    enum safety_action action;
    const char *say;   /* of SAFETY_REFUSE */
    char category[32]; /* of the moderation endpoint, or "" */
};

/* stream.c: one text while it grows */

/*
 * What may become a match is held back, at most so many bytes; a longer match is none. All
 * else goes out at once. However the text is cut, the same comes out.
 */
#define SAFETY_HOLD 256
#define SAFETY_BEFORE 64 /* bytes before it that a pattern may look back at */

struct safety_stream {
    struct safety *safety;
    enum safety_where where;
    const struct str *own; /* more secrets, borrowed, of SAFETY_OWN_MIN bytes and more */
    size_t own_count;
    void (*emit)(void *ctx, const char *data, size_t len); /* must not scan; NULL: no one */
    void *ctx;
    bool uncounted;        /* the hits are counted already */
    bool refuse_only;      /* look at no other rules */
    struct safety_hit hit; /* the first; one that refuses takes the place of others */
    /* Private. */
    bool spoke, refused, inside;
    enum secret_form form;
    uint16_t before, held; /* of text */
    char text[SAFETY_BEFORE + SAFETY_HOLD + 8];
};

/* Fill in the members above `hit`, the rest zero, then: */
void safety_stream_feed(struct safety_stream *st, const char *data, size_t len);
void safety_stream_end(struct safety_stream *st); /* nothing follows; the rest goes out */
void safety_stream_whole(struct safety_stream *st, const char *data, size_t len); /* both */
void safety_stream_wipe(struct safety_stream *st);

/* input.c: what a person says, whole */

enum safety_verdict { SAFETY_PASSES, SAFETY_CHANGED, SAFETY_REFUSED, SAFETY_NO_MEMORY };
/*
 * SAFETY_CHANGED: matches were replaced, and `out` (in the region `r`) is the text to go on
 * with. *ret is what was found, if something was.
 */
enum safety_verdict safety_input(struct safety *s, struct str text, struct region *r,
                                 struct buf *out, struct safety_hit *ret);

/* moderate.c: the endpoint */

enum safety_moderated {
#define MODERATED(name, label) SAFETY_MODERATED_##name,
#include "safety/moderated.def"
#undef MODERATED
    SAFETY_MODERATED__COUNT
};
const char *safety_moderated_label(enum safety_moderated m);

struct safety_moderation_cfg { /* texts must outlive it; NULL or "": not set */
    struct loop *loop;
    struct http_client *http;
    const char *url, *key, *model;
    int64_t whole_ms; /* then the message passes unasked */
};
void safety_set_moderation(struct safety *s, const struct safety_moderation_cfg *cfg);
void safety_set_moderation_key(struct safety *s, const char *key); /* for the next questions */

struct safety_question;
/*
 * Ask about a text. False: nobody is to be asked (now), go on. Otherwise `answered` is called
 * once, on the loop, never inside: hit->rule is NULL when the text passes or nobody knows. What
 * it needs is on the budget of the region `r`, which must stay until then.
 */
bool safety_moderate(struct safety *s, struct str text, struct region *r,
                     void (*answered)(void *ctx, const struct safety_hit *hit), void *ctx,
                     struct safety_question **ret);
void safety_moderate_stop(struct safety_question **q); /* not called any more */

struct safety_stats {
    uint64_t hits[SAFETY_KIND__COUNT][SAFETY_WHERE__COUNT][SAFETY_ACTION__COUNT];
    uint64_t undecided; /* a pattern came to its limits, and its rule was passed over */
    uint64_t moderated[SAFETY_MODERATED__COUNT];
    int breaker; /* 0 asked, 1 tried again, 2 not asked */
};
void safety_stats(const struct safety *s, struct safety_stats *ret);
