/* Words into elements: drinks, modifiers, moods, categories, amounts, and plain words. */
#include "mind/house_int.h"

#include <string.h>

struct found {
    const struct alias *alias;
    size_t tokens;
};

/* When two names are equally long, the menu wins. */
static int rank(const struct alias *a)
{
    static const int by_kind[EL__COUNT] = {
        [EL_ITEM] = 6, [EL_OFF] = 5, [EL_MOD] = 4, [EL_CAT] = 3, [EL_MOOD] = 2, [EL_TAG] = 1};

    MUST(a);
    return by_kind[a->kind];
}

static bool alias_fits(const struct alias *a, const struct token *t, size_t left)
{
    if (a->count > left)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (t[i].word != a->words[i] || t[i].kind != EL_WORD ||
            (t[i].after && i + 1 < a->count))
            return false;
    return true;
}

static struct found find_exact(const struct lexicon *l, const struct token *t, size_t left)
{
    struct found best = {0};

    if (!t->word || t->kind != EL_WORD)
        return best;
    for (int i = l->words[t->word].first_alias; i >= 0; i = l->aliases[i].next) {
        const struct alias *a = &l->aliases[i];

        if (a->count < best.tokens || !alias_fits(a, t, left))
            continue;
        if (a->count > best.tokens || rank(a) > rank(best.alias))
            best = (struct found){a, a->count};
    }
    return best;
}

/* A word that is spelled right and is no part of that name: no accident of the fingers. */
static bool has_stranger(const struct lexicon *l, const struct token *t, size_t n,
                         const struct alias *a)
{
    for (size_t i = 0; i < n; i++) {
        bool own =
            !t[i].word || t[i].guessed || !(l->words[t[i].word].flags & (W_COMMON | W_CUE));

        for (size_t k = 0; k < a->count && !own; k++)
            own = a->words[k] == t[i].word;
        if (!own)
            return true;
    }
    return false;
}

/*
 * Names that were joined, split or misspelled as a whole: "lnog iland ice tea", "oldfashoned",
 * "lemon ade". Compares without spaces, and only what is long enough to be no accident.
 */
static struct found find_joined(const struct lexicon *l, const struct token *t, size_t left)
{
    struct found best = {0};
    int best_d = 100;
    char text[64];
    size_t len = 0;

    for (size_t k = 0; k < 5 && k < left; k++) {
        if (t[k].kind != EL_WORD || (k > 0 && t[k - 1].after) || len + t[k].len >= sizeof(text))
            break;
        memcpy(text + len, t[k].text, t[k].len);
        len += t[k].len;
        if (len < 6)
            continue;
        for (int i = text[0] >= 'a' && text[0] <= 'z' ? l->by_letter[text[0] - 'a'] : -1;
             i >= 0; i = l->aliases[i].next_letter) {
            const struct alias *a = &l->aliases[i];
            int allow, d;

            if ((a->count == 1 && k == 0) || a->joined_len > len + 3 ||
                len > a->joined_len + 3u)
                continue;
            allow = a->count == 1 || k > a->count ? 1 : a->joined_len < 8 ? 1 : 2;
            if (a->joined_len > 12 && a->count > 1)
                allow++;
            if (has_stranger(l, t, k + 1, a))
                allow = 0;
            d = house__lex_distance(text, len, a->joined, a->joined_len, allow + 1);
            if (d > allow)
                continue;
            if (k + 1 > best.tokens || d < best_d) {
                best_d = d;
                best = (struct found){a, k + 1};
            }
        }
    }
    return best;
}

static bool word_is(const struct token *t, const char *z)
{
    return t->kind == EL_WORD && t->len == strlen(z) && memcmp(t->text, z, t->len) == 0;
}

/* Number words: "twenty five", "a couple", "two dozen", "a hundred". Returns tokens used. */
static size_t read_count(const struct lexicon *l, const struct token *t, size_t left, int *ret)
{
    size_t i = 0;
    int v = 0;
    bool any = false;

    if ((word_is(&t[0], "a") || word_is(&t[0], "an")) && left > 1 && !t[0].after) {
        const struct word *w = &l->words[t[1].word];

        if (!(t[1].word && t[1].kind == EL_WORD && (w->flags & W_NUM)) || w->number == 1)
            return 0;
        if (w->number < 100 && !word_is(&t[1], "couple") && !word_is(&t[1], "few") &&
            !word_is(&t[1], "dozen"))
            return 0;
        i = 1;
    }
    for (; i < left; i++) {
        int n;

        if (t[i].kind == EL_NUM && !any)
            n = t[i].value;
        else if (t[i].kind == EL_WORD && t[i].word && (l->words[t[i].word].flags & W_NUM))
            n = l->words[t[i].word].number;
        else
            break;
        if (n == 12 && word_is(&t[i], "dozen"))
            v = any ? v * 12 : 12;
        else if (n == 100 || n == 1000)
            v = any && v < 1000 ? v * n : n;
        else if (!any)
            v = n;
        else if (v >= 20 && v % 10 == 0 && n < 10)
            v += n;
        else
            break;
        any = true;
        if (t[i].after) {
            i++;
            break;
        }
    }
    *ret = v;
    return any ? i : 0;
}

/* Money and per cent in words, behind a count: "five bucks", "20 percent", "50 cents". */
static size_t read_unit(const struct token *t, size_t left, int n, struct el *e)
{
    static const char *const dollars[] = {"dollar", "dollars", "buck",   "bucks",
                                          "quid",   "usd",     "pounds", "euros"};

    if (!left || t->kind != EL_WORD)
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(dollars); i++)
        if (word_is(t, dollars[i])) {
            e->kind = EL_MONEY;
            e->value = n * 100;
            return 1;
        }
    if (word_is(t, "cents") || word_is(t, "cent")) {
        e->kind = EL_MONEY;
        e->value = n;
        return 1;
    }
    if (word_is(t, "percent")) {
        e->kind = EL_PCT;
        e->value = n * 100;
        return 1;
    }
    return 0;
}

/* A modifier that begins with a number or a verb is left to the parser: "two shots". */
static bool alias_unwanted(const struct lexicon *l, const struct found *f,
                           const struct token *t)
{
    bool amount = t->word && (l->words[t->word].flags & W_NUM);

    if (f->alias->kind != EL_ITEM && f->alias->kind != EL_OFF && f->tokens > 1 && amount)
        return true;
    if (f->alias->kind == EL_MOD && word_is(t, "make"))
        return true;
    return false;
}

static size_t read_one(const struct house *h, const struct token *t, size_t left, struct el *e)
{
    const struct lexicon *l = &h->lex;
    struct found f = find_exact(l, t, left), j = {0};
    int n = 0;
    size_t used;

    if (f.alias && alias_unwanted(l, &f, t))
        f = (struct found){0};
    if (t->kind == EL_WORD && (!f.alias || f.tokens < 3) &&
        !(f.alias && f.alias->kind == EL_ITEM && f.tokens == 2 && left < 3))
        j = find_joined(l, t, left);
    if (j.alias && j.tokens > f.tokens)
        f = j;
    if (f.alias) {
        e->kind = f.alias->kind;
        e->value = f.alias->value;
        e->plural = f.alias->plural;
        /* patterns may still ask for the plain word: "anything", "double", "cold" */
        e->word = f.tokens == 1 && e->kind != EL_ITEM && e->kind != EL_OFF ? t->word : 0;
        return f.tokens;
    }
    if (t->kind == EL_MONEY || t->kind == EL_PCT) {
        e->kind = t->kind;
        e->value = t->value;
        if (t->kind == EL_MONEY && left > 1 && !t->after) {
            struct el skip;

            if (word_is(t + 1, "percent")) { /* "12.5 percent" */
                e->kind = EL_PCT;
                return 2;
            }
            if (read_unit(t + 1, left - 1, 0, &skip) && !word_is(t + 1, "cents"))
                return 2; /* "$5 dollars", "7.50 bucks" */
        }
        return 1;
    }
    used = read_count(l, t, left, &n);
    if (used) {
        e->kind = EL_NUM;
        e->value = n;
        e->word = t[used - 1].word;
        if (!t[used - 1].after)
            used += read_unit(t + used, left - used, n, e);
        return used;
    }
    if (word_is(t, "a") || word_is(t, "an")) {
        *e = (struct el){.kind = EL_NUM, .weak = true, .value = 1, .word = t->word};
        if (left > 1 && !t->after && read_unit(t + 1, left - 1, 1, e)) {
            e->weak = false;
            return 2;
        }
        return 1;
    }
    if (word_is(t, "fiver") || word_is(t, "tenner")) {
        e->kind = EL_MONEY;
        e->value = word_is(t, "fiver") ? 500 : 1000;
        return 1;
    }
    e->kind = EL_WORD;
    e->word = t->word;
    return 1;
}

size_t house__match_elements(const struct house *h, const struct tokens *ts, struct el *out)
{
    size_t n = 0;

    for (size_t i = 0; i < ts->count;) {
        struct el *e = &out[n++];
        size_t used;

        *e = (struct el){.kind = EL_WORD, .text = ts->t[i].text, .len = ts->t[i].len};
        used = read_one(h, &ts->t[i], ts->count - i, e);
        /* "straight up" is a way to serve, "set us up" and "up to four" are not */
        if (e->kind == EL_MOD && used == 1 && word_is(&ts->t[i], "up") &&
            !(n > 1 && (e[-1].kind == EL_ITEM || e[-1].kind == EL_MOD || e[-1].after) &&
              !(i + 1 < ts->count && word_is(&ts->t[i + 1], "to"))))
            e->kind = EL_WORD;
        e->text = ts->t[i].text;
        e->len = ts->t[i].len;
        e->after = ts->t[i + used - 1].after;
        i += used;
        if ((e->kind == EL_MONEY || e->kind == EL_PCT) && n > 1 && out[n - 2].weak) {
            out[n - 2] = *e; /* "a fiver", "a 20 dollar tip" */
            n--;
        }
    }
    for (size_t i = 0; i + 1 < n; i++)
        if (out[i].kind == EL_MONEY && out[i].value % 100 && out[i + 1].kind == EL_ITEM) {
            out[i].kind = EL_NUM; /* "0.5 beers": no number of drinks, and no money */
            out[i].value = 0;
        }
    return n;
}
