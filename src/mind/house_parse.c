/* The drinks, quantities, modifiers and references that a clause names, in their order. */
#include "mind/house_int.h"

#include <string.h>

struct parser {
    const struct house *h;
    struct wishes *out;
    struct wish pre; /* what was said of the drink that is still to come */
    bool have_pre;   /* a count, an article or "another" is waiting */
    bool negated;    /* "not", "without": the next modifier goes */
    bool was_all;    /* "both", "all": the next modifier is for everything */
};

static void add_mod(uint8_t *mods, uint8_t *count, int mod)
{
    for (size_t i = 0; i < *count; i++)
        if (mods[i] == mod)
            return;
    if (*count < WISH_MODS)
        mods[(*count)++] = (uint8_t)mod;
}

static struct wish *last_wish(struct parser *p)
{
    return p->out->count ? &p->out->w[p->out->count - 1] : NULL;
}

static struct wish *push_wish(struct parser *p, enum wish_kind kind, int value)
{
    struct wish *w;

    if (p->out->count == HOUSE_WISHES_MAX) {
        p->out->too_many = true;
        return NULL;
    }
    w = &p->out->w[p->out->count++];
    *w = p->pre;
    w->kind = kind;
    w->value = value;
    p->pre = (struct wish){0};
    p->have_pre = p->negated = p->was_all = false;
    return w;
}

static struct wish *push_ref(struct parser *p, enum wish_ref ref, int value)
{
    struct wish *w = push_wish(p, WISH_REF, value);

    if (w)
        w->ref = ref;
    return w;
}

static bool is_liquor(const struct house *h, const struct el *e)
{
    return e->kind == EL_ITEM && h->items[e->value].category &&
           strcmp(h->items[e->value].category, "Spirits") == 0;
}

static bool is_mixed(const struct house *h, int item)
{
    return strcmp(h->items[item].category, "Cocktails") == 0;
}

bool house__is_spirit(const struct house *h, int item)
{
    return item >= 0 && strcmp(h->items[item].category, "Spirits") == 0;
}

bool house__made_with(const struct house *h, int cocktail, int spirit)
{
    if (cocktail < 0 || !is_mixed(h, cocktail) || !house__is_spirit(h, spirit))
        return false;
    for (size_t i = 0; h->items[cocktail].tags[i]; i++)
        if (strcasecmp(h->items[cocktail].tags[i], h->items[spirit].name) == 0)
            return true;
    return false;
}

/* A modifier belongs to the drink before it, unless an article or a count opened a new one. */
static void take_mod(struct parser *p, const struct el *e, const struct el *next, int mod)
{
    struct wish *w = last_wish(p);
    bool ahead = next && (next->kind == EL_ITEM || next->kind == EL_OFF);

    if (p->was_all && p->out->count > 0 && !p->have_pre) {
        for (size_t i = 0; i < p->out->count; i++)
            add_mod(p->out->w[i].mods, &p->out->w[i].mod_count, mod);
        return;
    }
    if (p->negated) {
        struct wish *to = w ? w : &p->pre;

        add_mod(to->off_mods, &to->off_count, mod);
        return;
    }
    if (w && !p->have_pre && !(ahead && !e->after && p->pre.mod_count == 0 && w->mod_count)) {
        add_mod(w->mods, &w->mod_count, mod);
        return;
    }
    add_mod(p->pre.mods, &p->pre.mod_count, mod);
}

/* "tequila martini", "martini with gin": the spirit is a way to make the cocktail. */
static bool take_liquor(struct parser *p, const struct el *e, size_t i, size_t n)
{
    const struct house *h = p->h;
    struct wish *w = last_wish(p);

    if (!is_liquor(h, &e[i]))
        return false;
    if (i + 1 < n && e[i + 1].kind == EL_ITEM && !e[i].after && is_mixed(h, e[i + 1].value)) {
        add_mod(p->pre.mods, &p->pre.mod_count, 128 + e[i].value);
        return true;
    }
    if (i > 0 && w && p->have_pre && p->pre.qty && IS(&e[i - 1], with) &&
        w->kind == WISH_ITEM && house__made_with(h, w->value, e[i].value)) {
        add_mod(p->pre.mods, &p->pre.mod_count, 128 + e[i].value);
        return true; /* "one with gin" */
    }
    if (i > 0 && w && !p->have_pre &&
        ((w->kind == WISH_ITEM && is_mixed(h, w->value)) ||
         (w->kind == WISH_REF && w->ref == REF_IT)) &&
        (IS(&e[i - 1], with) || IS(&e[i - 1], on) || IS(&e[i - 1], from) ||
         (w->kind == WISH_ITEM && w->qty && e[i - 1].after == ',' &&
          house__made_with(h, w->value, e[i].value)))) {
        add_mod(w->mods, &w->mod_count, 128 + e[i].value);
        return true;
    }
    return false;
}

/* "beer" and "beers" name one drink of the menu, and all of its kind. */
static int generic_of(const struct house *h, const struct el *e)
{
    for (size_t i = 0; e->kind == EL_ITEM && i < h->cat_count; i++) {
        size_t n = strlen(h->cats[i]);

        if (strcmp(h->items[e->value].category, h->cats[i]) == 0 &&
            (e->len == n || (e->len == n + 1 && e->text[n] == 's')) &&
            strncasecmp(e->text, h->cats[i], n) == 0)
            return (int)i;
    }
    return -1;
}

static void take_drink(struct parser *p, const struct el *e, size_t i, size_t n)
{
    static const enum wish_kind kinds[] = {
        [EL_ITEM] = WISH_ITEM, [EL_OFF] = WISH_OFF, [EL_CAT] = WISH_CAT};
    struct wish *w;

    if (take_liquor(p, e, i, n))
        return;
    w = push_wish(p, kinds[e[i].kind], e[i].value);
    if (!w)
        return;
    w->plural |= e[i].plural;
    w->generic = generic_of(p->h, &e[i]);
    /* "beer x3", "martini x 2", "IPA times two" */
    if (i + 1 < n && e[i + 1].kind == EL_NUM && e[i + 1].len > 1 && e[i + 1].text[0] == 'x')
        w->qty = e[i + 1].value;
}

/* "one of the", "two of those": the count is a part of what follows. */
static bool part_of(const struct house *h, const struct el *e, size_t i, size_t n)
{
    return i + 2 < n && IS(&e[i + 1], of) &&
           (IS(&e[i + 2], the) || IS(&e[i + 2], my) || IS(&e[i + 2], them) ||
            IS(&e[i + 2], those) || IS(&e[i + 2], these) || IS(&e[i + 2], our));
}

static void flush_pre(struct parser *p);

static int ordinal(const struct house *h, const struct el *e)
{
    return IS(e, first) ? 1 : IS(e, second) ? 2 : IS(e, third) ? 3 : IS(e, fourth) ? 4 : 0;
}

static void take_number(struct parser *p, const struct el *e, size_t i, size_t n)
{
    const struct house *h = p->h;
    struct wish *w = last_wish(p);

    if (e[i].len > 1 && e[i].text[0] == 'x') {
        if (!(i > 0 && (e[i - 1].kind == EL_ITEM || e[i - 1].kind == EL_OFF))) {
            if (w && !p->have_pre)
                w->qty = e[i].value;
            else
                p->pre.qty = e[i].value;
        }
        return;
    }
    if (i > 0 && IS(&e[i - 1], x) && w && !p->have_pre) {
        w->qty = e[i].value;
        return;
    }
    /* "with two olives": how many of a garnish is not how many drinks */
    if (i + 1 < n && e[i + 1].kind == EL_MOD && e[i + 1].plural)
        return;
    if (p->have_pre && p->pre.mod_count) /* "one dry one dirty" */
        flush_pre(p);
    if (i > 0 && w && w->kind == WISH_REF && !p->have_pre && IS(&e[i], one) &&
        (w->ref == REF_LAST || w->ref == REF_OTHER || w->ref == REF_ORDINAL) &&
        (IS(&e[i - 1], last) || IS(&e[i - 1], latest) || IS(&e[i - 1], other) ||
         ordinal(h, &e[i - 1]))) {
        w->qty = 1; /* "make the last one gin" */
        return;
    }
    if (p->have_pre && e[i].weak) /* "another a", "two a": the first counts */
        return;
    p->pre.more |= i > 0 && IS(&e[i - 1], another);
    p->pre.the = false;
    p->pre.qty = e[i].value;
    p->pre.weak = e[i].weak;
    p->pre.part = part_of(h, e, i, n);
    p->have_pre = true;
}

static bool word_is(const struct el *e, const char *z)
{
    return e->len == strlen(z) && memcmp(e->text, z, e->len) == 0;
}

/* Is this word followed by a drink that it describes: "the first beer", "that martini"? */
static bool drink_ahead(const struct el *e, size_t i, size_t n)
{
    for (i++; i < n && i < 24; i++) {
        if (e[i].kind == EL_ITEM || e[i].kind == EL_OFF || e[i].kind == EL_CAT)
            return true;
        if (e[i].kind == EL_NUM || e[i - 1].after ||
            (e[i].kind == EL_WORD && !(e[i].len == 2 && memcmp(e[i].text, "of", 2) == 0) &&
             !(e[i].len == 3 && memcmp(e[i].text, "the", 3) == 0) &&
             !(e[i].len == 3 && memcmp(e[i].text, "one", 3) == 0)))
            return false;
    }
    return false;
}

static void take_word(struct parser *p, const struct el *e, size_t i, size_t n)
{
    const struct house *h = p->h;
    struct wish *w = last_wish(p);
    const struct el *x = &e[i];
    int nth = ordinal(h, x);

    if (IS(x, round) && i + 1 < n && IS(x + 1, of)) {
        p->pre.each = true;
        p->pre.qty = 0;
    } else if (w && !p->have_pre && (word_is(x, "shots") || word_is(x, "pints"))) {
        w->plural = true;
    } else if (IS(x, another) || (IS(x, more) && p->have_pre)) {
        p->pre.more = true;
        if (IS(x, another) && !p->pre.qty)
            p->pre.qty = 1;
        p->have_pre = true;
    } else if (IS(x, the) || IS(x, my) || IS(x, our) || IS(x, his)) {
        p->pre.the = true;
    } else if (IS(x, half)) {
        p->pre.half = true;
    } else if (IS(x, not_) || IS(x, without) || IS(x, no)) {
        p->negated = true;
    } else if (IS(x, with) || IS(x, and) || IS(x, but)) {
        p->negated = false;
    } else if (IS(x, each) || IS(x, everyone) ||
               (IS(x, all) && i + 1 < n && IS(x + 1, around)) ||
               (IS(x, all) && i + 1 < n && IS(x + 1, round))) {
        if (w)
            w->each = true;
        else
            p->pre.each = true;
    } else if (IS(x, both) || IS(x, all)) {
        p->pre.plural = p->pre.the = p->pre.all = true;
        p->was_all = true;
        if (!drink_ahead(e, i, n) && !p->out->count)
            push_ref(p, REF_ALL, 0);
    } else if (nth && p->pre.the && !p->have_pre && drink_ahead(e, i, n)) {
        p->pre.qty = 1; /* "forget the second whiskey" */
        p->have_pre = true;
    } else if (nth && !drink_ahead(e, i, n) && !p->out->count) {
        push_ref(p, REF_ORDINAL, nth);
    } else if ((IS(x, last) || IS(x, latest)) && !drink_ahead(e, i, n) && !p->out->count) {
        push_ref(p, REF_LAST, 0);
    } else if (IS(x, other) && !drink_ahead(e, i, n) && !p->out->count) {
        push_ref(p, REF_OTHER, 0);
    } else if ((IS(x, it) || IS(x, that) || IS(x, this)) && !drink_ahead(e, i, n)) {
        if (!p->out->count)
            push_ref(p, REF_IT, 0);
    } else if ((IS(x, them) || IS(x, those) || IS(x, these)) && !drink_ahead(e, i, n)) {
        if (!p->out->count) {
            struct wish *r = push_ref(p, REF_IT, 0);

            if (r)
                r->plural = true;
        }
    } else if (IS(x, that) || IS(x, those)) {
        p->pre.the = true;
    }
}

/*
 * A count and modifiers with no drink behind them speak of the drink before: "two whiskeys,
 * one neat and one on the rocks".
 */
static void flush_pre(struct parser *p)
{
    struct wish *w = last_wish(p), *of = NULL;
    bool counted = p->have_pre && p->pre.qty > 0;

    if (!counted && !p->pre.mod_count && !p->pre.off_count && !p->pre.more)
        return;
    for (size_t i = p->out->count; i-- > 0 && !of;)
        if (p->out->w[i].kind == WISH_ITEM && p->out->w[i].qty > p->pre.qty &&
            p->out->w[i].mod_count == 0)
            of = &p->out->w[i];
    if (counted && p->pre.mod_count && of && !p->pre.weak) {
        int value = of->value, qty = p->pre.qty;

        of->qty -= qty;
        push_wish(p, WISH_ITEM, value);
        return;
    }
    if (p->pre.mod_count && w && (w->kind == WISH_ITEM || w->kind == WISH_REF)) {
        bool rest = counted && w->kind == WISH_ITEM && !p->pre.weak;

        if (rest) { /* the others of "one neat, one on the rocks" */
            for (size_t i = 0; i < p->out->count; i++)
                if (p->out->w[i].value == w->value && p->out->w[i].mod_count == 0)
                    w = &p->out->w[i];
        }
        for (size_t i = 0; i < p->pre.mod_count; i++)
            add_mod(w->mods, &w->mod_count, p->pre.mods[i]);
        p->pre = (struct wish){0};
        p->have_pre = false;
        return;
    }
    if (w && w->kind == WISH_REF && counted && !w->qty) {
        w->qty = p->pre.qty;
        w->weak = p->pre.weak;
        w->more |= p->pre.more;
        w->part |= p->pre.part;
        p->pre = (struct wish){0};
        p->have_pre = false;
        return;
    }
    if (w && !counted)
        return;
    if (w && w->kind != WISH_REF && p->pre.weak)
        return;
    if (w && w->kind == WISH_ITEM)
        return; /* "a beer ... for two" */
    push_ref(p, counted ? REF_ONE : REF_NONE, 0);
}

void house__parse_wishes(const struct house *h, const struct el *e, size_t n,
                         struct wishes *ret)
{
    struct parser p = {.h = h, .out = ret};

    ret->count = 0;
    ret->too_many = false;
    for (size_t i = 0; i < n; i++) {
        const struct el *next = i + 1 < n ? &e[i + 1] : NULL;

        switch ((enum el_kind)e[i].kind) {
        case EL_ITEM:
        case EL_OFF:
        case EL_CAT:
            take_drink(&p, e, i, n);
            break;
        case EL_MOD:
            take_mod(&p, &e[i], next, 1 + e[i].value);
            break;
        case EL_NUM:
            take_number(&p, e, i, n);
            break;
        case EL_WORD:
            take_word(&p, e, i, n);
            break;
        default:
            break;
        }
        /* a new part of the sentence: what waits there belongs to what was before */
        if ((e[i].after == ',' || (next && IS(next, and))) && p.have_pre && p.pre.mod_count)
            flush_pre(&p);
    }
    flush_pre(&p);
}

int house__parse_group(const struct house *h, const struct el *e, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct el *a = &e[i], *b = i + 1 < n ? &e[i + 1] : NULL;
        const struct el *c = i + 2 < n ? &e[i + 2] : NULL, *d = i + 3 < n ? &e[i + 3] : NULL;

        if (a->kind == EL_NUM && b && c && IS(b, of) && IS(c, us))
            return a->value;
        if (IS(a, both) && b && c && IS(b, of) && IS(c, us))
            return 2;
        if (IS(a, we) && b && c && b->len == 3 && memcmp(b->text, "are", 3) == 0 &&
            c->kind == EL_NUM && !c->weak)
            return c->value;
        if ((IS(a, us) || IS(a, we)) && b && b->kind == EL_NUM && !b->weak &&
            !(c && (c->kind == EL_ITEM || c->kind == EL_MOD)))
            return b->value;
        if ((IS(a, table) || (a->len == 5 && memcmp(a->text, "party", 5) == 0) ||
             (a->len == 5 && memcmp(a->text, "group", 5) == 0)) &&
            b && c && IS(b, of) && c->kind == EL_NUM)
            return c->value;
        if ((IS(a, me) || IS(a, i)) && b && c && IS(b, and) &&
            (IS(c, my) || IS(c, the) || IS(c, him) || IS(c, her)))
            return d && d->kind == EL_NUM && !d->weak ? d->value + 1 : 2;
        if ((IS(a, friend) || IS(a, him) || IS(a, her)) && b && c && IS(b, and) &&
            (IS(c, me) || IS(c, i)))
            return 2;
        if (IS(a, for_) && b && c && IS(b, the) && c->kind == EL_NUM && !c->weak)
            return c->value; /* "for the two kids" */
        if (IS(a, my) && b && b->kind == EL_NUM && !b->weak && c &&
            (IS(c, friends) || IS(c, mates)))
            return b->value;
    }
    return 0;
}
