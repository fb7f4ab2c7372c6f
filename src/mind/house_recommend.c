/* Recommending: by mood, ingredient, price, or what is not liked. */
#include "mind/house_int.h"

#include <string.h>

struct taste {
    const char *words[8]; /* tags an item must or should have */
    size_t count;
    int mood;         /* index, or -1 */
    int64_t under;    /* cents, or -1 */
    int liquor;       /* item named as an ingredient, or -1 */
    int cat;          /* category, or -1 */
    const char *what; /* as the guest named it */
};

static bool is_than(const struct el *e)
{
    return e->len == 4 && memcmp(e->text, "than", 4) == 0;
}

static void read_taste(struct ctx *c, const struct clause *cl, struct taste *t)
{
    const struct house *h = c->h;

    *t = (struct taste){.mood = -1, .under = -1, .liquor = -1, .cat = -1, .what = ""};
    for (size_t i = 0; i < cl->n; i++) {
        const struct el *e = &cl->e[i];

        if (e->kind == EL_MOOD) {
            t->mood = e->value;
            t->what = h->moods[e->value].name;
        } else if (e->kind == EL_TAG && t->count < ARRAY_LEN(t->words)) {
            t->words[t->count++] = h->tags[e->value];
            t->what = h->tags[e->value];
        } else if (e->kind == EL_ITEM && (i < 2 ? false : is_than(&e[-1]) || is_than(&e[-2]))) {
            t->under = h->items[e->value].price_cents - 1; /* "cheaper than the IPA" */
        } else if (e->kind == EL_ITEM) {
            t->liquor = e->value;
            t->what = h->items[e->value].name;
        } else if (e->kind == EL_MONEY) {
            bool less =
                i > 0 && e[-1].len >= 4 &&
                (memcmp(e[-1].text, "unde", 4) == 0 || memcmp(e[-1].text, "than", 4) == 0 ||
                 memcmp(e[-1].text, "belo", 4) == 0);

            t->under = e->value - less;
        } else if (e->kind == EL_CAT) {
            t->cat = e->value;
            if (!t->what[0])
                t->what = h->cats[e->value];
        } else if (e->kind == EL_MOD && t->count < ARRAY_LEN(t->words)) {
            /* "with lime" asks for an ingredient here */
            for (size_t k = 0; k < h->tag_count; k++) {
                const char *at = strstr(h->mods[e->value].name, h->tags[k]);

                if (at && t->count < ARRAY_LEN(t->words)) {
                    t->words[t->count++] = h->tags[k];
                    t->what = h->tags[k];
                }
            }
        }
    }
}

static bool has_tag(const struct bar_item *it, const char *tag)
{
    for (size_t i = 0; it->tags[i]; i++)
        if (strcasecmp(it->tags[i], tag) == 0)
            return true;
    return false;
}

static bool same_text(const char *list_name, const char *item_name)
{
    size_t n = strcspn(list_name, "(");

    while (n > 0 && list_name[n - 1] == ' ')
        n--;
    return strlen(item_name) == n && memcmp(list_name, item_name, n) == 0;
}

static int score(struct ctx *c, const struct taste *t, size_t i)
{
    const struct house *h = c->h;
    const struct bar_item *it = &h->items[i];
    int s = 0;

    if (t->under >= 0 && it->price_cents > t->under)
        return 0;
    for (size_t k = 0; k < t->count; k++)
        s += has_tag(it, t->words[k]) ? 10 : 0;
    if (t->cat >= 0 && strcmp(it->category, h->cats[t->cat]) != 0)
        return 0;
    s += t->cat >= 0;
    if (t->liquor >= 0) {
        s += has_tag(it, h->items[t->liquor].name) ? 10 : 0;
        s -= (int)i == t->liquor ? 4 : 0;
    }
    if (t->mood >= 0) {
        for (size_t k = 0; h->moods[t->mood].items[k]; k++)
            if (same_text(h->moods[t->mood].items[k], it->name))
                s += 12;
        s += has_tag(it, h->moods[t->mood].name) ? 5 : 0;
    }
    return s;
}

static int mood_index(const struct house *h, const char *name)
{
    for (size_t i = 0; i < h->mood_count; i++)
        if (strcmp(h->moods[i].name, name) == 0)
            return (int)i;
    return -1;
}

/* The best two or three for a taste; returns how many. */
static size_t best_of(struct ctx *c, const struct taste *t, int best[3])
{
    int top[3] = {0};
    size_t n = 0;

    for (size_t i = 0; i < c->h->item_count; i++) {
        int s = score(c, t, i);

        if (s <= 0)
            continue;
        for (size_t k = 0; k < 3; k++) {
            if (k < n && top[k] >= s)
                continue;
            for (size_t m = 2; m > k; m--) {
                top[m] = top[m - 1];
                best[m] = best[m - 1];
            }
            top[k] = s;
            best[k] = (int)i;
            n += n < 3;
            break;
        }
    }
    while (n > 1 && top[n - 1] * 2 < top[0])
        n--;
    return n;
}

/* The dearest three that a sum of money buys. */
static size_t dearest_under(struct ctx *c, int64_t cents, int best[3])
{
    size_t n = 0;

    for (size_t i = 0; i < c->h->item_count; i++) {
        int64_t p = c->h->items[i].price_cents;
        size_t at = n;

        if (p > cents)
            continue;
        while (at > 0 && c->h->items[best[at - 1]].price_cents < p)
            at--;
        if (at == 3)
            continue;
        n += n < 3;
        for (size_t k = n - 1; k > at; k--)
            best[k] = best[k - 1];
        best[at] = (int)i;
    }
    return n;
}

void house__recommend(struct ctx *c, struct clause *cl)
{
    struct taste t;
    int best[3] = {0};
    size_t n;
    struct buf list;
    bool plain;
    char money[24];

    read_taste(c, cl, &t);
    plain = t.mood < 0 && t.count == 0 && t.liquor < 0 && t.cat < 0;
    if (plain)
        t.mood = mood_index(c->h, "popular");
    n = best_of(c, &t, best);
    if (plain && t.under >= 0)
        n = dearest_under(c, t.under, best);
    if (n == 0 && !plain) {
        struct taste popular = {
            .mood = mood_index(c->h, "popular"), .under = t.under, .liquor = -1, .cat = -1};

        n = best_of(c, &popular, best);
    }
    house__shown_reset(c);
    house__say_buf(c, &list);
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_str(&list, i + 1 < n ? ", " : " or ");
        buf_printf(&list, "the %s", c->h->items[best[i]].name);
        house__show_item(c, best[i]);
    }
    c->memo.pending = PEND_OFFER;
    c->asked = true;
    if (t.under >= 0) {
        bar_money((t.under + 99) / 100 * 100, money);
        house__say(c, OC_recommend_budget, "price", money, "list",
                   n ? buf_text(&list) : "tap water", NULL);
    } else if (!plain && n) {
        house__say(c, OC_recommend_taste, "what", t.what, "list", buf_text(&list), NULL);
    } else {
        house__say(c, OC_recommend, "list", buf_text(&list), NULL);
    }
}

/* What is disliked: the nearest that has nothing of it. */
void house__taste_no(struct ctx *c, struct clause *cl)
{
    struct taste t;
    struct buf list;
    int mood = mood_index(c->h, "popular");
    size_t n = 0;

    read_taste(c, cl, &t);
    house__say_buf(c, &list);
    house__shown_reset(c);
    for (size_t k = 0; mood >= 0 && c->h->moods[mood].items[k] && n < 2; k++)
        for (size_t i = 0; i < c->h->item_count; i++) {
            const struct bar_item *it = &c->h->items[i];
            bool has = (int)i == t.liquor ||
                       (t.liquor >= 0 && (has_tag(it, c->h->items[t.liquor].name) ||
                                          has_tag(&c->h->items[t.liquor], it->tags[0])));

            for (size_t w = 0; w < t.count; w++)
                has |= has_tag(it, t.words[w]);
            if (has || !same_text(c->h->moods[mood].items[k], it->name) || n >= 2)
                continue;
            if (n++)
                buf_str(&list, " or ");
            buf_printf(&list, "the %s", it->name);
            house__show_item(c, (int)i);
        }
    if (!n)
        buf_str(&list, "a glass of water");
    house__say(c, OC_taste_no, "what", t.what[0] ? t.what : "that", "list", buf_text(&list),
               NULL);
}

void house__strongest(struct ctx *c)
{
    struct taste t = {.mood = mood_index(c->h, "strong"), .under = -1, .liquor = -1, .cat = -1};
    int best[3] = {0};
    struct buf list;
    size_t n = best_of(c, &t, best);

    house__say_buf(c, &list);
    house__shown_reset(c);
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_str(&list, i + 1 < n ? ", " : " and ");
        buf_printf(&list, "the %s", c->h->items[best[i]].name);
        house__show_item(c, best[i]);
    }
    house__say(c, OC_strongest, "list", n ? buf_text(&list) : "my opinions", NULL);
    c->memo.pending = PEND_OFFER;
}
