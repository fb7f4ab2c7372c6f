/* Private to safety/. */
#pragma once

#include "safety/safety.h"

#include "base/breaker.h"

#define WINDOW 1024 /* bytes that are looked at together */

/* pattern.c: PCRE2 with its limits. */
struct patterns; /* what all of them share while they match */
struct pattern;
enum pattern_found { PATTERN_NO, PATTERN_MAYBE, PATTERN_YES };

struct patterns *patterns__new(void) MUST_USE;
void patterns__ready(struct patterns *all); /* all are compiled: nothing is allocated after */
void patterns__free(struct patterns **all);
/* NULL: `why` says why not, and *ret_at at which byte. */
struct pattern *pattern__new(struct patterns *all, const char *text, char *why, size_t size,
                             size_t *ret_at) MUST_USE;
void pattern__free(struct pattern **p);
/*
 * The first match in text[from..len); before `from` it looks back. MAYBE: from *ret_start on it
 * could be one if more followed, which is preferred to a match that reaches the end. With
 * `last` there is no MAYBE. `ascii`: so is the text. *undecided counts searches that came to
 * their limits and found nothing.
 */
enum pattern_found pattern__find(const struct pattern *p, const char *text, size_t len,
                                 size_t from, bool last, bool ascii, size_t *ret_start,
                                 size_t *ret_end, uint64_t *undecided);

/* plain.c: a text as the rules see it, at most as long as it was. */
struct plain {
    char text[WINDOW];
    uint16_t start[WINDOW + 1], stop[WINDOW]; /* where each byte stood; start[len]: the end */
    size_t len;
    bool ascii;
};
/* Reads whole characters; with `last` what is no UTF-8 too. Returns how far it went. */
size_t plain__read(struct plain *p, const char *text, size_t len, bool last);
size_t plain__index(const struct plain *p,
                    size_t at); /* of the first that starts there or later */
/* "i g n o r e   t h i s" as "ignore   this"; false: there is nothing of the kind. */
bool plain__has_spaced(struct str text);
void plain__join_spaced(struct str text, struct buf *out);

struct rule {
    char *name, *with;
    char *say[SAFETY_WHERE__COUNT];
    enum safety_kind kind;
    enum safety_action action;
    bool where[SAFETY_WHERE__COUNT];
    struct pattern *pattern; /* NULL: the secrets */
};

struct safety {
    struct rule *rules;
    size_t count;
    struct patterns *patterns;
    char *say_moderated, *say_self_harm;
    struct str *own;
    size_t own_count;
    struct safety_moderation_cfg moderation;
    struct breaker breaker;
    struct safety_stats stats;
    /* One scan at a time. */
    struct plain plain;
    char window[WINDOW];
};

/* rules.c, for tests: as safety_load(), from a text that stands for the file. */
int safety__parse(const char *name, const char *text, size_t len, struct safety **ret,
                  struct err *e) MUST_USE;
