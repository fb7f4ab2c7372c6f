/*
 * Patterns through PCRE2, which says while a text grows whether its end could begin a match
 * (PCRE2_PARTIAL_HARD: so that a longer match is waited for, however the text is cut). Compiled
 * to machine code where the system allows that. A match is bounded in steps, depth and memory,
 * and its memory is taken when the rules are loaded.
 */
#include "safety/safety_int.h"

#include "base/alloc.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MATCH_LIMIT 50000
#define DEPTH_LIMIT 500
#define HEAP_LIMIT_KIB 128
#define LOOK_BEHIND_MAX 16 /* characters; SAFETY_BEFORE holds as many of four bytes */

struct patterns {
    pcre2_general_context *general;
    pcre2_compile_context *compile;
    pcre2_match_context *limits;
    pcre2_match_data *data;
    bool interpreted; /* some pattern is */
    bool sealed;      /* nothing is allocated any more */
};

struct pattern {
    struct patterns *all;
    pcre2_code *code;
    pcre2_code *ascii; /* the same for text that is ASCII, three times as fast; or NULL */
};

static void *take(size_t n, void *ctx)
{
    const struct patterns *all = ctx;

    return all->sealed ? NULL : malloc(n);
}

static void give(void *p, void *ctx)
{
    (void)ctx;
    free(p);
}

struct patterns *patterns__new(void)
{
    struct patterns *all = xalloc(sizeof(*all));

    all->general = pcre2_general_context_create(take, give, all);
    all->compile = pcre2_compile_context_create(all->general);
    all->limits = pcre2_match_context_create(all->general);
    all->data = pcre2_match_data_create(1, all->general);
    if (!all->general || !all->compile || !all->limits || !all->data)
        alloc_die(sizeof(*all));
    pcre2_set_match_limit(all->limits, MATCH_LIMIT);
    pcre2_set_depth_limit(all->limits, DEPTH_LIMIT);
    pcre2_set_heap_limit(all->limits, HEAP_LIMIT_KIB);
    pcre2_set_parens_nest_limit(all->compile, 50);
    pcre2_set_max_pattern_length(all->compile, 65536);
    return all;
}

/* The interpreter's frames grow as it needs them: it is made to need all that it may have. */
static void grow_frames(struct patterns *all)
{
    enum { SPAN = 8192 };
    char *text = xalloc(SPAN);
    int error;
    size_t at;
    pcre2_code *code = pcre2_compile((PCRE2_SPTR) "(?:(a)|b)*c", PCRE2_ZERO_TERMINATED, 0,
                                     &error, &at, all->compile);

    memset(text, 'a', SPAN);
    pcre2_set_depth_limit(all->limits, SPAN * 4);
    if (code)
        pcre2_match(code, (PCRE2_SPTR)text, SPAN, 0, PCRE2_NO_JIT, all->data, all->limits);
    pcre2_set_depth_limit(all->limits, DEPTH_LIMIT);
    pcre2_code_free(code);
    free(text);
}

void patterns__ready(struct patterns *all)
{
    if (all->interpreted)
        grow_frames(all);
    all->sealed = true;
}

void patterns__free(struct patterns **all)
{
    if (!*all)
        return;
    pcre2_match_data_free((*all)->data);
    pcre2_match_context_free((*all)->limits);
    pcre2_compile_context_free((*all)->compile);
    pcre2_general_context_free((*all)->general);
    free(*all);
    *all = NULL;
}

/* What would be a rule, and could not be matched as the stream needs it. */
static bool usable(const struct pattern *p, const char *text, char *why, size_t size)
{
    uint32_t behind = 0;

    pcre2_pattern_info(p->code, PCRE2_INFO_MAXLOOKBEHIND, &behind);
    if (behind > LOOK_BEHIND_MAX) {
        snprintf(why, size, "it looks back %u characters, and may at most %d", behind,
                 LOOK_BEHIND_MAX);
        return false;
    }
    if (strstr(text, "\\K")) {
        snprintf(why, size, "\\K cannot be used here; write a lookbehind");
        return false;
    }
    if (pcre2_match(p->code, (PCRE2_SPTR) "", 0, 0, 0, p->all->data, p->all->limits) >= 0) {
        snprintf(why, size, "it matches an empty text");
        return false;
    }
    return true;
}

/* Where memory may not be executable, the interpreter does it. */
static void make_fast(struct patterns *all, pcre2_code *code)
{
    if (pcre2_jit_compile(code, PCRE2_JIT_COMPLETE | PCRE2_JIT_PARTIAL_HARD) < 0)
        all->interpreted = true;
}

/* Only of a pattern that is ASCII itself: bytes of a longer character would be several. */
static pcre2_code *compile_ascii(const struct patterns *all, const char *text)
{
    int error;
    size_t at;

    for (const char *c = text; *c; c++)
        if ((unsigned char)*c >= 0x80)
            return NULL;
    return pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED,
                         PCRE2_CASELESS | PCRE2_NEVER_BACKSLASH_C, &error, &at, all->compile);
}

struct pattern *pattern__new(struct patterns *all, const char *text, char *why, size_t size,
                             size_t *ret_at)
{
    struct pattern *p = xalloc(sizeof(*p));
    int error = 0;

    *ret_at = 0;
    p->all = all;
    p->code = pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED,
                            PCRE2_UTF | PCRE2_UCP | PCRE2_CASELESS | PCRE2_NEVER_BACKSLASH_C,
                            &error, ret_at, all->compile);
    if (!p->code) {
        pcre2_get_error_message(error, (PCRE2_UCHAR *)why, size);
        pattern__free(&p);
        return NULL;
    }
    if (!usable(p, text, why, size)) {
        pattern__free(&p);
        return NULL;
    }
    p->ascii = compile_ascii(all, text);
    make_fast(all, p->code);
    if (p->ascii)
        make_fast(all, p->ascii);
    return p;
}

void pattern__free(struct pattern **p)
{
    if (!*p)
        return;
    pcre2_code_free((*p)->code);
    pcre2_code_free((*p)->ascii);
    free(*p);
    *p = NULL;
}

enum pattern_found pattern__find(const struct pattern *p, const char *text, size_t len,
                                 size_t from, bool last, bool ascii, size_t *ret_start,
                                 size_t *ret_end, uint64_t *undecided)
{
    const pcre2_code *code = ascii && p->ascii ? p->ascii : p->code;
    uint32_t options =
        PCRE2_NO_UTF_CHECK | PCRE2_NOTEMPTY | (last ? 0 : PCRE2_PARTIAL_HARD | PCRE2_NOTEOL);
    int n =
        pcre2_match(code, (PCRE2_SPTR)text, len, from, options, p->all->data, p->all->limits);

    if (n == PCRE2_ERROR_NOMATCH)
        return PATTERN_NO;
    if (n < 0 && n != PCRE2_ERROR_PARTIAL) {
        ++*undecided;
        return PATTERN_NO;
    }
    const PCRE2_SIZE *span = pcre2_get_ovector_pointer(p->all->data);
    *ret_start = span[0];
    *ret_end = span[1];
    return n == PCRE2_ERROR_PARTIAL ? PATTERN_MAYBE : PATTERN_YES;
}
