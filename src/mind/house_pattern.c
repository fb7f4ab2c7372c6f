/*
 * The little language of house.def. A pattern is terms with a space between:
 *
 *     word  a|b|c   one of these words          @name   one of a class of words (below)
 *     <item>        an element of that kind     *       anything, also nothing, up to 8
 * elements _             any one element             ?       behind a term: may be missing ^ $
 * the clause starts, ends here
 *
 * A pattern without ^ may begin anywhere in the clause. The first row that matches wins.
 */
#include "mind/house_int.h"

#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

enum term_kind { TERM_ONE_OF, TERM_ANY, TERM_GAP };

#define GAP_MAX 8

static const struct {
    const char *name, *words;
} classes[] = {
#define CLASS(name, words) {name, words},
#define INTENT(name)
#define ON(name, pattern)
#define TALK(occasion, pattern)
#include "mind/house.def"
#undef CLASS
#undef INTENT
#undef ON
#undef TALK
};

static const struct {
    const char *text;
    uint8_t intent, talk;
} rows[] = {
#define CLASS(name, words)
#define INTENT(name)
#define ON(name, pattern) {pattern, IN_##name, 0},
#define TALK(occasion, pattern) {pattern, IN_TALK, OC_##occasion},
#include "mind/house.def"
#undef CLASS
#undef INTENT
#undef ON
#undef TALK
};

static const struct {
    const char *name;
    uint32_t kinds;
} kinds[] = {
    {"<item>", 1u << EL_ITEM},
    {"<off>", 1u << EL_OFF},
    {"<drink>", 1u << EL_ITEM | 1u << EL_OFF},
    {"<any>", 1u << EL_ITEM | 1u << EL_OFF | 1u << EL_CAT},
    {"<cat>", 1u << EL_CAT},
    {"<mod>", 1u << EL_MOD},
    {"<mood>", 1u << EL_MOOD},
    {"<taste>", 1u << EL_MOOD | 1u << EL_TAG | 1u << EL_MOD},
    {"<num>", 1u << EL_NUM},
    {"<money>", 1u << EL_MONEY},
    {"<pct>", 1u << EL_PCT},
};

static void add_kind(struct term *t, const char *text, size_t len)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (strlen(kinds[i].name) == len && memcmp(kinds[i].name, text, len) == 0) {
            t->kinds |= kinds[i].kinds;
            return;
        }
    MUST(!"a kind of house.def is not known");
}

static void add_words(struct patterns *ps, struct lexicon *l, struct term *t, const char *text,
                      size_t len)
{
    const char *end = text + len;

    if (len > 1 && *text == '@' && !memchr(text, '|', len)) {
        for (size_t i = 0; i < ARRAY_LEN(classes); i++)
            if (strlen(classes[i].name) == len - 1 &&
                memcmp(classes[i].name, text + 1, len - 1) == 0) {
                add_words(ps, l, t, classes[i].words, strlen(classes[i].words));
                return;
            }
        MUST(!"a class of house.def is not defined");
    }
    while (text < end) {
        size_t n = 0;

        while (text + n < end && text[n] != '|')
            n++;
        if (n && *text == '@') {
            add_words(ps, l, t, text, n);
        } else if (n && *text == '<') {
            add_kind(t, text, n);
        } else if (n) {
            if (ps->alt_count == ps->alt_cap) {
                ps->alt_cap = ps->alt_cap ? ps->alt_cap * 2 : 1024;
                ps->alts = xrealloc(ps->alts, ps->alt_cap * sizeof(*ps->alts));
            }
            ps->alts[ps->alt_count++] = house__lex_add(l, text, n, W_CUE);
            t->count++;
        }
        text += n + 1;
    }
}

static void compile_term(struct patterns *ps, struct lexicon *l, const char *text, size_t len)
{
    struct term t = {.first = (uint16_t)ps->alt_count};

    if (len > 1 && text[len - 1] == '?') {
        t.optional = true;
        len--;
    }
    if (len == 1 && *text == '*') {
        t.kind = TERM_GAP;
    } else if (len == 1 && *text == '_') {
        t.kind = TERM_ANY;
    } else {
        t.kind = TERM_ONE_OF;
        add_words(ps, l, &t, text, len);
    }
    if (ps->term_count == ps->term_cap) {
        ps->term_cap = ps->term_cap ? ps->term_cap * 2 : 1024;
        ps->terms = xrealloc(ps->terms, ps->term_cap * sizeof(t));
    }
    ps->terms[ps->term_count++] = t;
}

static uint64_t word_bit(uint16_t word)
{
    return word ? UINT64_C(1) << (word * 0x9e3779b1u >> 26) : 0;
}

/* What a clause must hold at least, so that most rows are passed over without a look. */
static void find_need(struct patterns *ps, struct pattern *p)
{
    unsigned fewest = 1000;

    for (size_t i = p->first; i < (size_t)p->first + p->count; i++) {
        const struct term *t = &ps->terms[i];

        if (t->optional || t->kind != TERM_ONE_OF || (t->kinds && t->count))
            continue;
        if (t->kinds && !p->need_kinds)
            p->need_kinds = t->kinds;
        if (t->kinds || t->count >= fewest)
            continue;
        fewest = t->count;
        p->need = 0;
        for (size_t a = 0; a < t->count; a++)
            p->need |= word_bit(ps->alts[t->first + a]);
    }
}

void house__patterns_init(struct patterns *ps, struct lexicon *l)
{
    *ps = (struct patterns){.p = xalloc(ARRAY_LEN(rows) * sizeof(*ps->p))};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct pattern *p = &ps->p[ps->count++];
        const char *s = rows[i].text;

        p->intent = rows[i].intent;
        p->talk = rows[i].talk;
        p->first = (uint16_t)ps->term_count;
        while (*s) {
            size_t n;

            s += strspn(s, " ");
            n = strcspn(s, " ");
            if (n == 1 && *s == '^')
                p->at_start = true;
            else if (n == 1 && *s == '$')
                p->at_end = true;
            else if (n)
                compile_term(ps, l, s, n);
            s += n;
        }
        p->count = (uint16_t)(ps->term_count - p->first);
        find_need(ps, p);
    }
}

void house__patterns_release(struct patterns *ps)
{
    free(ps->p);
    free(ps->terms);
    free(ps->alts);
    *ps = (struct patterns){0};
}

static bool term_fits(const struct patterns *ps, const struct term *t, const struct el *e)
{
    if (t->kind == TERM_ANY)
        return true;
    if (t->kinds >> e->kind & 1u && !(e->kind == EL_NUM && e->weak))
        return true; /* "a" is a word of its own, though it counts */
    if (!e->word)
        return false;
    for (size_t i = 0; i < t->count; i++)
        if (ps->alts[t->first + i] == e->word)
            return true;
    return false;
}

static bool match_here(const struct patterns *ps, const struct pattern *p, size_t ti,
                       const struct el *e, size_t n)
{
    for (; ti < p->count; ti++) {
        const struct term *t = &ps->terms[p->first + ti];

        if (t->kind == TERM_GAP) {
            for (size_t skip = 0; skip <= n && skip <= GAP_MAX; skip++)
                if (match_here(ps, p, ti + 1, e + skip, n - skip))
                    return true;
            return false;
        }
        if (t->optional && match_here(ps, p, ti + 1, e, n))
            return true;
        if (n == 0 || !term_fits(ps, t, e))
            return false;
        e++;
        n--;
    }
    return !p->at_end || n == 0;
}

const struct pattern *house__patterns_match(const struct patterns *ps, const struct el *e,
                                            size_t n)
{
    uint64_t have = 0;
    uint32_t have_kinds = 0;

    for (size_t i = 0; i < n; i++) {
        have |= word_bit(e[i].word);
        have_kinds |= 1u << e[i].kind;
    }
    for (size_t i = 0; i < ps->count; i++) {
        const struct pattern *p = &ps->p[i];
        size_t last = p->at_start ? 0 : n;

        if ((p->need && !(p->need & have)) || (p->need_kinds && !(p->need_kinds & have_kinds)))
            continue;
        for (size_t at = 0; at <= last; at++)
            if (match_here(ps, p, 0, e + at, n - at))
                return p;
    }
    return NULL;
}
