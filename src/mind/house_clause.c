/* Elements into clauses, each with one intent; a bare list of drinks joins what went before. */
#include "mind/house_int.h"

#include <string.h>

#define CLAUSE_ELEMENTS_MAX 40

/* "... so a water for me", but not "so far". */
static bool is_so(const struct house *h, const struct el *e, size_t left)
{
    static const char *const words[] = {"i",   "can", "could", "give",  "get",  "make", "just",
                                        "let", "we",  "ill",   "bring", "pour", "maybe"};

    if (!IS(e, so) || left < 2)
        return false;
    if (e[1].kind == EL_NUM)
        return true;
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (e[1].len == strlen(words[i]) && memcmp(e[1].text, words[i], e[1].len) == 0)
            return true;
    return false;
}

static bool is_join(const struct house *h, const struct el *e)
{
    return IS(e, and) || IS(e, then) || IS(e, also) || IS(e, plus) || IS(e, but);
}

/* "me and my two friends", "her and I": one group of people, not two wishes. */
static bool joins_people(const struct house *h, const struct el *e, size_t i, size_t n)
{
    const struct el *a = i > 0 ? &e[i - 1] : NULL, *b = i + 1 < n ? &e[i + 1] : NULL;

    if (!a || !b || !IS(&e[i], and))
        return false;
    if (IS(a, me) || IS(a, him) || IS(a, her) || IS(a, i) || IS(a, friend))
        return IS(b, my) || IS(b, me) || IS(b, i) || IS(b, him) || IS(b, her) || IS(b, the);
    return false;
}

/* "can you ...", "never ...", "want to ...": what follows is no wish of its own. */
static bool goes_with_verb(const struct el *e)
{
    static const char *const words[] = {"can",  "could", "you",  "please", "to",   "just",
                                        "also", "would", "will", "never",  "dont", "not",
                                        "cant", "lets",  "then", "kindly", "i",    "we",
                                        "not",  "so",    "now"};

    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (e->len == strlen(words[i]) && memcmp(e->text, words[i], e->len) == 0)
            return true;
    return false;
}

/* Where a new wish begins although nobody wrote a comma: "... a beer how much is that". */
static bool starts_wish(const struct house *h, const struct el *e, size_t i, size_t n)
{
    const struct el *a = &e[i], *b = i + 1 < n ? &e[i + 1] : NULL;
    const struct el *c = i + 2 < n ? &e[i + 2] : NULL;
    const struct el *before = &e[i - 1];

    if (!b)
        return false;
    if ((IS(a, give) || IS(a, get) || IS(a, bring)) && (IS(b, me) || IS(b, us)))
        return i > 2 && !goes_with_verb(before) && !is_join(h, before);
    if (!(house__is_drink(before) || before->kind == EL_MOD || IS(before, please) ||
          IS(before, thanks) || IS(before, it) || IS(before, me) || IS(before, us)))
        return false;
    if (IS(a, howmuch))
        return true;
    if (IS(a, what) && (IS(b, is) || (c && (IS(c, owe) || IS(c, i)))))
        return true;
    if (IS(before, it) || IS(before, me) || IS(before, us))
        return false;
    if ((IS(a, can) || IS(a, could) || IS(a, may)) && (IS(b, i) || IS(b, we) || IS(b, you)))
        return true;
    if (IS(a, make) && (IS(b, it) || IS(b, that) || IS(b, them)))
        return true;
    if ((IS(a, take) && (IS(b, off) || IS(b, the))) || (IS(a, remove) && b))
        return true;
    if (IS(a, i) && (IS(b, will) || IS(b, want) || IS(b, would)))
        return true;
    return IS(a, actually) || IS(a, wait);
}

static size_t cut(const struct house *h, const struct el *e, size_t n, struct clause *out)
{
    size_t count = 0, start = 0;

    for (size_t i = 0; i < n && count < HOUSE_CLAUSES_MAX; i++) {
        bool last = i + 1 == n;
        bool here = last || e[i].after || i + 1 - start >= CLAUSE_ELEMENTS_MAX;

        if (!here && is_so(h, &e[i + 1], n - i - 1))
            here = true;
        if (!here && e[i].kind == EL_MOD && i + 2 < n && e[i + 2].kind == EL_MOD &&
            IS(&e[i + 1], and))
            continue; /* "dry and dirty" */
        if (!here && is_join(h, &e[i + 1]) && !joins_people(h, e, i + 1, n) && i + 2 < n)
            here = true;
        if (!here)
            here = starts_wish(h, e, i + 1, n);
        if (!here)
            continue;
        out[count] = (struct clause){.e = e + start, .n = i + 1 - start};
        out[count].first = start == 0 || (e[start - 1].after && e[start - 1].after != ',');
        count++;
        start = i + 1;
    }
    for (size_t i = 0; i < count; i++) {
        size_t k = i;

        while (k + 1 < count &&
               !(out[k].e[out[k].n - 1].after && out[k].e[out[k].n - 1].after != ','))
            k++;
        out[i].question = out[k].e[out[k].n - 1].after == '?';
    }
    return count;
}

/* "no two waters": not fewer than one, but two and not what there was. */
static bool counts_drink(const struct el *e, size_t n)
{
    return n >= 2 && e[0].kind == EL_NUM && !e[0].weak && e[0].value > 0 &&
           (e[1].kind == EL_ITEM || (n > 2 && e[1].kind == EL_MOD && e[2].kind == EL_ITEM));
}

/* "only two", "just the one beer" */
static bool is_only(const struct house *h, const struct el *e, size_t n)
{
    const struct el *number = n > 2 && IS(&e[1], the) ? &e[2] : &e[1];

    return (IS(e, only) || IS(e, just)) && number->kind == EL_NUM && !number->weak;
}

/* Words that open a clause without meaning anything by themselves; some say "correction". */
static void strip_opening(const struct house *h, struct clause *cl)
{
    static const char *const empty[] = {
        "and",        "then",     "also",      "plus",    "but",     "so",   "ok",
        "well",       "um",       "uh",        "uhm",     "er",      "erm",  "umm",
        "uhh",        "hmm",      "hm",        "oh",      "ah",      "hey",  "hi",
        "hello",      "now",      "right",     "like",    "just",    "maya", "barkeep",
        "bartender",  "alright",  "please",    "anyway",  "yo",      "mate", "buddy",
        "love",       "dear",     "sir",       "miss",    "man",     "bro",  "dude",
        "sweetheart", "darling",  "pal",       "cheers",  "great",   "cool", "good",
        "thanks",     "yes",      "sure",      "first",   "second",  "next", "finally",
        "lastly",     "fine",     "perfect",   "lovely",  "awesome", "nice", "later",
        "still",      "honestly", "basically", "look",    "listen",  "say",  "friend",
        "boss",       "chief",    "evening",   "probably"};
    static const char *const fix[] = {"actually", "wait", "sorry", "oops",
                                      "whoops",   "no",   "meant", "correction"};

    for (size_t at = 0; at + 1 < cl->n;) {
        const struct el *e = &cl->e[at], *next = &cl->e[at + 1];
        bool known = false;

        if (e->kind != EL_WORD && e->kind != EL_MOD && e->kind != EL_MOOD)
            break;
        for (size_t i = 0; i < ARRAY_LEN(fix) && !known; i++) {
            if (e->len != strlen(fix[i]) || memcmp(e->text, fix[i], e->len) != 0)
                continue;
            /* "no beer", "no ice", "no more": that "no" belongs to what follows */
            if (i == 5 && !e->after &&
                !(IS(next, wait) || IS(next, actually) || IS(next, sorry) || IS(next, make) ||
                  counts_drink(next, cl->n - 1)))
                return;
            known = cl->fix = true;
            cl->denied |= i != 0;
        }
        if (IS(e, i) && IS(next, meant) && cl->n > 2) {
            cl->fix = cl->denied = true;
            cl->e += 2;
            cl->n -= 2;
            continue;
        }
        if (is_only(h, e, cl->n))
            known = cl->only = true;
        for (size_t i = 0; i < ARRAY_LEN(empty) && !known; i++)
            known = e->len == strlen(empty[i]) && memcmp(e->text, empty[i], e->len) == 0;
        if (!known)
            break;
        /* "first" and "like" open a list, or name a thing: "first one", "same thing" */
        if ((IS(e, first) || IS(e, second) || IS(e, next)) && !e->after && !IS(next, i) &&
            !IS(next, a) && !IS(next, an))
            return;
        if (e->kind == EL_MOD && !e->after) /* "perfect manhattan" */
            return;
        if (e->len == 4 && memcmp(e->text, "like", 4) == 0 && next->kind == EL_WORD)
            return;
        cl->e++;
        cl->n--;
    }
}

/* Intents that a following bare list of drinks goes on with: "take off the beer and the gin".
 */
static bool goes_on(enum intent in)
{
    return in == IN_ORDER || in == IN_REMOVE || in == IN_PRICE || in == IN_INGREDIENTS ||
           in == IN_REPLACE || in == IN_MAKE || in == IN_AVAILABLE || in == IN_MODIFY ||
           in == IN_NEGATE || in == IN_TASTE_NO || in == IN_MENTION || in == IN_AFFORD ||
           in == IN_OPINION || in == IN_MEANT || in == IN_FEWER || in == IN_MORE ||
           in == IN_CHOOSE || in == IN_READBACK || in == IN_RECOMMEND;
}

static bool definite(const struct house *h, const struct clause *cl)
{
    for (size_t i = 0; i < cl->n; i++) {
        if (house__is_drink(&cl->e[i]))
            return false;
        if (IS(&cl->e[i], the) || IS(&cl->e[i], my) || IS(&cl->e[i], that) ||
            IS(&cl->e[i], both) || IS(&cl->e[i], all) || IS(&cl->e[i], those))
            return true;
    }
    return false;
}

static bool says(const struct house *h, const struct clause *cl, uint16_t word)
{
    (void)h;
    for (size_t i = 0; i < cl->n; i++)
        if (cl->e[i].word == word)
            return true;
    return false;
}

static bool speaks_of_order(const struct house *h, const struct clause *cl)
{
    bool mod = false;

    for (size_t i = 0; i < cl->n; i++)
        mod |= cl->e[i].kind == EL_MOD;
    return mod && cl->n > 3 && cl->e[0].kind == EL_NUM && IS(&cl->e[1], of) &&
           (IS(&cl->e[2], the) || IS(&cl->e[2], my) || IS(&cl->e[2], those));
}

/* What a clause without a verb means, standing behind `prev` (NULL: behind nothing). */
static enum intent bare_intent(const struct house *h, const struct clause *cl, enum shape s,
                               const struct clause *prev)
{
    bool same = prev && !cl->first;

    /* "What's the difference between dry and wet?" */
    if (s == SHAPE_MODS && same && cl->question &&
        (prev->intent == IN_INGREDIENTS || prev->intent == IN_OPINION ||
         prev->intent == IN_CHOOSE || prev->intent == IN_PRICE))
        return prev->intent;
    if (s == SHAPE_MODS)
        return IN_MODIFY;
    if (s == SHAPE_COUNT && says(h, cl, h->known->for_)) /* "..., and one for my wife" */
        return IN_MORE;
    if (s == SHAPE_COUNT)
        return cl->fix || cl->only || (same && goes_on(prev->intent)) ? IN_MAKE : IN_ORDER_REF;
    if (says(h, cl, h->known->instead))
        return IN_REPLACE;
    if ((cl->fix && cl->denied) || cl->only)
        return IN_MEANT;
    /* "one of the whiskeys neat", "and the gin with lime": of what is there */
    if (speaks_of_order(h, cl))
        return IN_MODIFY;
    if (same && goes_on(prev->intent)) {
        bool fresh = !definite(h, cl);

        switch (prev->intent) {
        case IN_REMOVE:
            return fresh && says(h, cl, h->known->please) ? IN_ORDER : IN_REMOVE;
        case IN_NEGATE:
        case IN_TASTE_NO:
        case IN_MENTION:
        case IN_OPINION:
        case IN_CHOOSE:
        case IN_READBACK:
        case IN_RECOMMEND:
            /* "I don't want a martini, a beer please" */
            if (IS(&cl->e[0], and) || IS(&cl->e[0], or) || IS(&cl->e[0], nor))
                return prev->intent;
            return fresh ? IN_ORDER : prev->intent;
        case IN_FEWER:
            return IN_REMOVE;
        case IN_MAKE:
        case IN_MORE:
        case IN_MODIFY:
        case IN_REPLACE:
            return fresh ? IN_ORDER : IN_MODIFY;
        default:
            return prev->intent;
        }
    }
    if (cl->fix && !same)
        return IN_MEANT;
    if (cl->question && definite(h, cl))
        return IN_OPINION;
    return IN_ORDER;
}

/* Among the rows that a bare list of drinks matches, those that say more than the list does. */
static bool says_more(enum intent in)
{
    return in == IN_REMOVE || in == IN_NEGATE || in == IN_REPLACE || in == IN_MORE ||
           in == IN_AGAIN || in == IN_ROUND || in == IN_CHOOSE || in == IN_MAKE ||
           in == IN_AVAILABLE || in == IN_CATEGORY || in == IN_OPINION || in == IN_RECOMMEND ||
           in == IN_MEANT || in == IN_TASTE_NO || in == IN_PRICE || in == IN_FEWER ||
           in == IN_MODIFY;
}

/* "Perfect!" is no way to have a drink when it stands alone. */
static bool is_praise(const struct clause *cl)
{
    return cl->e[0].len == 7 && memcmp(cl->e[0].text, "perfect", 7) == 0 && cl->n < 3;
}

static void classify(const struct house *h, struct clause *cl, const struct clause *prev)
{
    struct clause whole = *cl;
    const struct pattern *p;
    enum shape s;

    strip_opening(h, cl);
    if (cl->n > 1 && (IS(&cl->e[cl->n - 1], actually) || IS(&cl->e[cl->n - 1], sorry))) {
        cl->fix = true; /* "martini extra dirty actually" */
        cl->n--;
        whole.n--;
    }
    s = house__shape_of(h, cl->e, cl->n);
    if (s == SHAPE_DRINKS && cl->question && cl->n == 1 && !prev) {
        cl->intent = IN_AVAILABLE;
        return;
    }
    if (s == SHAPE_MODS && is_praise(cl)) {
        cl->intent = IN_TALK;
        cl->talk = OC_T_LAUGH;
        return;
    }
    p = house__patterns_match(&h->patterns, cl->e, cl->n);
    if ((s == SHAPE_DRINKS || s == SHAPE_MODS ||
         (s == SHAPE_COUNT && (prev || cl->fix || cl->only))) &&
        !(p && says_more((enum intent)p->intent))) {
        whole.fix = cl->fix;
        whole.denied = cl->denied;
        whole.only = cl->only;
        cl->intent = bare_intent(h, &whole, s, prev);
        return;
    }
    if (!p) /* "hi there": what was passed over as an opening is all there is */
        p = house__patterns_match(&h->patterns, whole.e, whole.n);
    if (!p) {
        if (s == SHAPE_COUNT && (prev || cl->first))
            cl->intent = IN_ORDER_REF;
        return;
    }
    cl->intent = (enum intent)p->intent;
    cl->talk = (enum occasion)p->talk;
}

/* "... a martini, gin": no drink of its own, since the cocktail is made with one. */
static bool names_liquor(const struct house *h, const struct clause *prev,
                         const struct clause *cl)
{
    const struct el *drink = NULL;
    bool counted = false;

    for (size_t i = 0; i < prev->n; i++) {
        counted |= prev->e[i].kind == EL_NUM;
        if (prev->e[i].kind == EL_ITEM && !(i > 0 && IS(&prev->e[i - 1], with)))
            drink = &prev->e[i];
    }
    if (!counted || !drink)
        return false;
    /* "two martinis, one with gin and one with vodka" */
    for (size_t i = 1; i + 1 < cl->n; i++)
        if (cl->e[i - 1].kind == EL_NUM && IS(&cl->e[i], with) && cl->e[i + 1].kind == EL_ITEM)
            return house__made_with(h, drink->value, cl->e[i + 1].value);
    return cl->e[0].kind == EL_ITEM && cl->n <= 2 &&
           house__made_with(h, drink->value, cl->e[0].value);
}

/* "which is better, the gin or the rum": the list belongs to the question before it. */
static bool joins(const struct house *h, struct clause *prev, const struct clause *cl)
{
    bool drinks = false;

    if (cl->first || prev->n + cl->n > CLAUSE_ELEMENTS_MAX)
        return false;
    for (size_t i = 0; i < prev->n; i++)
        drinks |= house__is_drink(&prev->e[i]);
    if (prev->intent == IN_CHOOSE && house__shape_of(h, cl->e, cl->n) == SHAPE_DRINKS)
        return true;
    /* "a martini, very dry, with a twist", "a martini, gin please" */
    if ((prev->intent == IN_ORDER || prev->intent == IN_MEANT) && drinks && !cl->fix &&
        (house__shape_of(h, cl->e, cl->n) == SHAPE_MODS || names_liquor(h, prev, cl)))
        return true;
    /* "instead of gin, give me brandy" */
    return prev->intent == IN_REPLACE && drinks &&
           (cl->intent == IN_ORDER || cl->intent == IN_ORDER_REF) &&
           (IS(&prev->e[0], instead) || IS(&prev->e[0], rather)) && prev->n <= 5;
}

size_t house__clauses_find(const struct house *h, const struct el *e, size_t n,
                           struct clause *out)
{
    size_t count = cut(h, e, n, out), kept = 0;
    bool fix = false, denied = false;
    struct clause *prev = NULL;

    for (size_t i = 0; i < count; i++) {
        struct clause *cl = &out[kept];
        size_t start;

        *cl = out[i];
        cl->fix = fix;
        cl->denied = denied;
        fix = denied = false;
        classify(h, cl, prev);
        if (prev && joins(h, prev, cl)) {
            start = (size_t)(prev->e - e);
            prev->n = (size_t)(cl->e - e) + cl->n - start;
            continue;
        }
        kept++;
        /* "no, make that two": the short word is about what follows in the same sentence */
        if ((cl->intent == IN_FIX || cl->intent == IN_NO || cl->intent == IN_UNDO) &&
            i + 1 < count && cl->e[cl->n - 1].after != '.' && cl->n <= 3) {
            fix = cl->intent != IN_FIX || IS(&cl->e[0], actually) || IS(&cl->e[0], wait) ||
                  IS(&cl->e[0], correction) || IS(&cl->e[0], sorry) || IS(&cl->e[0], oops) ||
                  IS(&cl->e[0], whoops) || cl->fix;
            denied = (fix && !IS(&cl->e[0], actually)) || cl->denied;
        }
        /* "not the daiquiri, the cosmo" */
        if (cl->intent == IN_NEGATE && i + 1 < count && IS(&cl->e[0], not_))
            fix = denied = true;
        if (cl->intent != IN_FIX && cl->intent != IN_NONE && cl->intent != IN_NO &&
            !(prev && cl->n == 1 && (IS(&cl->e[0], please) || IS(&cl->e[0], thanks)) &&
              cl->e[0].after == ','))
            prev = cl;
    }
    if (kept && IS(&e[n - 1], actually))
        for (size_t i = kept; i-- > 0;) { /* "it's three IPAs actually" */
            if (out[i].intent == IN_ORDER && counts_drink(out[i].e, out[i].n)) {
                out[i].intent = IN_MEANT;
                out[i].fix = out[i].only = true;
            }
            if (out[i].first)
                break;
        }
    return kept;
}
