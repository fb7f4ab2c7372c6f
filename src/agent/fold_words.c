/* Sentences into words, and the patterns of fold.def over them. */
#include "agent/agent_int.h"

#include "base/alloc.h"
#include "base/map.h"

#include <stdlib.h>
#include <string.h>

#define VOCABULARY 768
#define SET_WORDS (VOCABULARY / 64)
#define TERMS_MAX 256
#define PATTERNS_MAX 64 /* bits of a number */
#define WORDS_MAX 64    /* of a sentence; what stands behind is not looked at */
#define WORD_BYTES 24
#define GAP_MAX 6

struct set {
    uint64_t bits[SET_WORDS];
};

enum term_kind { TERM_ONE_OF, TERM_NONE_OF, TERM_ANY, TERM_GAP };

struct term {
    uint8_t kind;
    bool optional;
    struct set set;
};

struct pattern {
    uint8_t fact; /* enum fold_kind */
    bool at_start, at_end;
    uint16_t first, count; /* terms */
};

struct fold_rules {
    struct map words; /* to their numbers, from 1 */
    struct term terms[TERMS_MAX];
    struct pattern patterns[PATTERNS_MAX];
    size_t term_count, pattern_count;
    struct set BEGINS, REASON, ENDS, SPEAKER, REPORTS;
    uint64_t heads[VOCABULARY]; /* of each word: the patterns that begin with it */
};

struct word {
    uint16_t id;             /* 0: in no pattern */
    uint16_t at, to;         /* its place in the sentence, in bytes */
    bool starts, ends, told; /* of a clause; told: behind "because" */
};

struct reading {
    const struct fold_rules *r;
    struct str text;
    bool question;
    struct word w[WORDS_MAX];
    size_t n;
};

/* ---- the table, once ---- */

static bool set_has(const struct set *s, unsigned id)
{
    return s->bits[id / 64] >> id % 64 & 1;
}

static unsigned find_word(const struct fold_rules *r, const char *text, size_t len)
{
    return (unsigned)(uintptr_t)map_get(&r->words, text, len);
}

/* The words of a list, with `mark` between. */
static void add_words(struct fold_rules *r, const char *text, size_t len, char mark,
                      struct set *to)
{
    for (const char *p = text, *end = text + len; p < end; p++) {
        const char *stop = memchr(p, mark, (size_t)(end - p));
        size_t n = (size_t)((stop ? stop : end) - p);
        unsigned id = find_word(r, p, n);

        MUST(n > 0 && n < WORD_BYTES);
        if (!id) {
            id = (unsigned)r->words.count + 1;
            MUST(id < VOCABULARY);
            map_put(&r->words, p, n, (void *)(uintptr_t)id);
        }
        to->bits[id / 64] |= UINT64_C(1) << id % 64;
        p += n;
    }
}

static void add_term(struct fold_rules *r, const char *text, size_t len)
{
    struct term *t = &r->terms[r->term_count++];

    MUST(r->term_count < TERMS_MAX);
    if (len == 1 && (*text == '_' || *text == '*')) {
        t->kind = *text == '_' ? TERM_ANY : TERM_GAP;
        return;
    }
    t->optional = text[len - 1] == '?';
    t->kind = *text == '!' ? TERM_NONE_OF : TERM_ONE_OF;
    add_words(r, text + (*text == '!'), len - (*text == '!') - t->optional, '|', &t->set);
}

static void add_pattern(struct fold_rules *r, enum fold_kind fact, const char *text)
{
    struct pattern *p = &r->patterns[r->pattern_count++];

    MUST(r->pattern_count <= PATTERNS_MAX);
    p->fact = (uint8_t)fact;
    p->first = (uint16_t)r->term_count;
    for (const char *at = text; *at; at += *at == ' ') {
        size_t n = strcspn(at, " ");
        if (n == 1 && *at == '^')
            p->at_start = true;
        else if (n == 1 && *at == '$')
            p->at_end = true;
        else
            add_term(r, at, n);
        at += n;
    }
    p->count = (uint16_t)(r->term_count - p->first);
    MUST(p->count > 0);
    /* What may stand first in a match; an optional term leaves it to the next. */
    for (size_t i = p->first; i < r->term_count; i++) {
        const struct term *t = &r->terms[i];
        MUST(t->kind == TERM_ONE_OF); /* no pattern is tried at every word */
        for (unsigned id = 1; id < VOCABULARY; id++)
            if (set_has(&t->set, id))
                r->heads[id] |= UINT64_C(1) << (r->pattern_count - 1);
        if (!t->optional)
            break;
    }
}

struct fold_rules *fold__rules_new(void)
{
    struct fold_rules *r = xalloc(sizeof(*r));

    map_init(&r->words, 0);
#define WORDS(set, text) add_words(r, text, strlen(text), ' ', &r->set);
#include "agent/fold.def"
#undef WORDS
#define KEEP(kind, pattern) add_pattern(r, FOLD_##kind, pattern);
#include "agent/fold.def"
#undef KEEP
    return r;
}

void fold__rules_free(struct fold_rules **r)
{
    if (*r)
        map_release(&(*r)->words);
    free(*r);
    *r = NULL;
}

/* ---- a sentence ---- */

enum mark { MARK_LETTER, MARK_SPACE, MARK_BREAK, MARK_APOSTROPHE, MARK_QUOTE };

/* What stands at p, and how many bytes it takes. */
static enum mark mark_at(const char *p, const char *end, size_t *ret_len)
{
    unsigned char c = (unsigned char)*p;

    *ret_len = 1;
    if (c == '\'' || c == '`')
        return MARK_APOSTROPHE;
    if (c == '"')
        return MARK_QUOTE;
    if (c && strchr(",;:()!?.", c))
        return MARK_BREAK;
    if (c < 0x80)
        return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') ? MARK_LETTER
                                                                              : MARK_SPACE;
    if (c >= 0xf0) { /* a small picture */
        *ret_len = end - p < 4 ? (size_t)(end - p) : 4;
        return MARK_BREAK;
    }
    if (c != 0xe2 || end - p < 3 || (unsigned char)p[1] != 0x80)
        return MARK_LETTER;
    *ret_len = 3;
    switch ((unsigned char)p[2]) {
    case 0x98: /* the curly ones */
    case 0x99:
        return MARK_APOSTROPHE;
    case 0x9c:
    case 0x9d:
    case 0x9e:
        return MARK_QUOTE;
    case 0x93: /* dashes, and three dots in one */
    case 0x94:
    case 0xa6:
        return MARK_BREAK;
    default:
        return MARK_LETTER;
    }
}

static void push(struct reading *g, const char *text, size_t len, size_t at, size_t to)
{
    if (g->n == WORDS_MAX)
        return;
    g->w[g->n++] = (struct word){
        .id = (uint16_t)find_word(g->r, text, len), .at = (uint16_t)at, .to = (uint16_t)to};
}

/* "i'm" is "i am", "don't" is "dont", "ana's" is "ana is". `quote` is where that mark was. */
static void push_word(struct reading *g, const char *w, size_t n, size_t quote, size_t at,
                      size_t to)
{
    static const struct {
        const char *tail, *word;
    } tails[] = {{"m", "am"},    {"s", "is"},    {"re", "are"},
                 {"ve", "have"}, {"ll", "will"}, {"d", "would"}};

    if (n == 2 && quote == n && memcmp(w, "im", 2) == 0)
        quote = 1;
    for (size_t i = 0; i < ARRAY_LEN(tails) && quote > 0; i++)
        if (n - quote == strlen(tails[i].tail) &&
            memcmp(w + quote, tails[i].tail, n - quote) == 0) {
            push(g, w, quote, at, to);
            push(g, tails[i].word, strlen(tails[i].word), at, to);
            return;
        }
    push(g, w, n, at, to);
}

/* A word from `at`; where it ends. */
static size_t read_word(struct reading *g, size_t at)
{
    const char *text = g->text.data, *end = text + g->text.len;
    char w[WORD_BYTES];
    size_t n = 0, quote = 0, to = at, len;
    bool quoted = false;

    while (to < g->text.len) {
        enum mark m = mark_at(text + to, end, &len);
        if (m == MARK_APOSTROPHE && !quoted && to + len < g->text.len &&
            mark_at(text + to + len, end, &(size_t){0}) == MARK_LETTER) {
            quoted = true;
            quote = n;
            to += len;
            continue;
        }
        if (m != MARK_LETTER)
            break;
        for (size_t i = 0; i < len; i++, n++) {
            char c = text[to + i];
            if (n < sizeof(w))
                w[n] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
        }
        to += len;
    }
    if (n >= sizeof(w)) /* longer than any word of the table: its beginning is not it */
        push(g, "", 0, at, to);
    else
        push_word(g, w, n, quoted ? quote : n, at, to);
    return to;
}

static void read_words(struct reading *g)
{
    const char *text = g->text.data, *end = text + g->text.len;
    bool starts = true, told = false, quoted = false, reported = false;
    size_t at = 0, len;

    while (at < g->text.len && g->n < WORDS_MAX && !reported) {
        enum mark m = mark_at(text + at, end, &len);
        size_t before = g->n;

        if (m == MARK_QUOTE)
            quoted = !quoted;
        if (m == MARK_BREAK || m == MARK_QUOTE) {
            if (g->n)
                g->w[g->n - 1].ends = true;
            starts = m == MARK_BREAK;
            told = false;
        }
        if (m == MARK_APOSTROPHE)
            starts = false; /* what is quoted begins no clause of the person */
        if (m != MARK_LETTER) {
            at += len;
            continue;
        }
        at = read_word(g, at);
        if (quoted) {
            g->n = before;
            continue;
        }
        if (g->n == before)
            continue;
        struct word *w = &g->w[before];
        w->starts = starts;
        w->told = told;
        if (before && set_has(&g->r->ENDS, w->id))
            w[-1].ends = true;
        reported =
            before && set_has(&g->r->REPORTS, w->id) && set_has(&g->r->SPEAKER, w[-1].id);
        told = set_has(&g->r->REASON, w->id);
        starts = told || set_has(&g->r->BEGINS, w->id);
    }
    if (g->n && !reported)
        g->w[g->n - 1].ends = true;
    for (size_t i = g->text.len; i > 0 && strchr(" \"')!?", text[i - 1]); i--)
        g->question |= text[i - 1] == '?';
}

/* ---- patterns ---- */

/* Where the match of the terms ends, or NULL. */
static const struct word *match(const struct fold_rules *r, const struct pattern *p,
                                size_t term, const struct word *w, const struct word *end)
{
    for (; term < (size_t)p->first + p->count; term++) {
        const struct term *t = &r->terms[term];
        const struct word *found;

        if (t->kind == TERM_NONE_OF) {
            if (w < end && set_has(&t->set, w->id))
                return NULL;
            continue;
        }
        for (int skip = 0; t->kind == TERM_GAP && skip <= GAP_MAX && w + skip <= end; skip++)
            if ((found = match(r, p, term + 1, w + skip, end)))
                return found;
        if (t->kind == TERM_GAP)
            return NULL;
        if (t->optional && (found = match(r, p, term + 1, w, end)))
            return found;
        if (w == end || (t->kind == TERM_ONE_OF && !set_has(&t->set, w->id)))
            return NULL;
        w++;
    }
    return p->at_end && !w[-1].ends ? NULL : w;
}

/* The part of a question that a match is in and that tells something; false: it only asks. */
static bool told_part(const struct reading *g, size_t from, size_t to, struct str *ret)
{
    size_t first = from, last = to - 1;

    while (first > 0 && !g->w[first].starts)
        first--;
    while (last + 1 < g->n && !g->w[last].ends)
        last++;
    if (last + 1 >= g->n && !g->w[first].told)
        return false;
    ret->data = g->text.data + g->w[first].at;
    ret->len = (size_t)g->w[last].to - g->w[first].at;
    return true;
}

unsigned fold__kinds(const struct fold_rules *r, struct str sentence, struct str *ret_part)
{
    struct reading g; /* its words are not made zero for every sentence */
    unsigned kinds = 0;

    MUST(sentence.len <= UINT16_MAX);
    g.r = r;
    g.text = sentence;
    g.question = false;
    g.n = 0;
    read_words(&g);
    *ret_part = sentence;
    for (size_t at = 0; at < g.n; at++) {
        for (uint64_t left = r->heads[g.w[at].id]; left; left &= left - 1) {
            const struct pattern *p = &r->patterns[__builtin_ctzll(left)];
            const struct word *end;

            if ((p->at_start && !g.w[at].starts) || kinds >> p->fact & 1)
                continue;
            end = match(r, p, p->first, &g.w[at], g.w + g.n);
            if (end && (!g.question || told_part(&g, at, (size_t)(end - g.w), ret_part)))
                kinds |= 1u << p->fact;
        }
    }
    return kinds;
}
