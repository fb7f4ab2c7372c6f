/* Questions: the menu, prices, what is in a drink, what to have, and what was ordered. */
#include "mind/house_int.h"

#include <string.h>

static void show_only(struct ctx *c, int item)
{
    c->memo.shown_count = 0;
    show_item(c, item);
    c->memo.pending = PEND_OFFER;
}

static void item_price(struct ctx *c, int item, int qty, char ret[24])
{
    bar_money(c->h->items[item].price_cents * qty, ret);
}

/* "Daiquiri $10.00, Martini $13.00 and ..." of one category; cat < 0: all, by category. */
static void list_items(struct ctx *c, int cat, struct buf *out)
{
    const struct house *h = c->h;
    size_t n = 0, at = 0;

    for (size_t i = 0; i < h->item_count; i++)
        n += strcmp(h->items[i].category, h->cats[cat]) == 0;
    for (size_t i = 0; i < h->item_count; i++) {
        char price[24];

        if (strcmp(h->items[i].category, h->cats[cat]) != 0)
            continue;
        say_join(out, at++, n);
        item_price(c, (int)i, 1, price);
        buf_printf(out, "%s %s", h->items[i].name, price);
    }
}

static void show_menu(struct ctx *c)
{
    struct buf list;
    struct reply r;

    if (!tool_plain(c, "get_menu", &r))
        return;
    say_buf(c, &list);
    for (size_t i = 0; i < c->h->cat_count; i++) {
        buf_printf(&list, "%s%s: ", i ? ". " : "", c->h->cats[i]);
        list_items(c, (int)i, &list);
    }
    say(c, OC_menu, "list", buf_text(&list), NULL);
    c->memo.shown_count = 0;
}

static void show_category(struct ctx *c, int cat)
{
    struct buf list;

    say_buf(c, &list);
    list_items(c, cat, &list);
    c->memo.shown_count = 0;
    for (size_t i = 0; i < c->h->item_count; i++)
        if (strcmp(c->h->items[i].category, c->h->cats[cat]) == 0)
            show_item(c, (int)i);
    say(c, OC_category, "what", c->h->cats[cat], "list", buf_text(&list), NULL);
}

/* The wishes of a question; references become the items they mean. */
static void asked_wishes(struct ctx *c, struct clause *cl, struct wishes *ws)
{
    size_t n = 0;

    parse_wishes(c->h, cl->e, cl->n, ws);
    for (size_t i = 0; i < ws->count; i++) {
        struct wish w = ws->w[i];

        if (w.kind == WISH_REF) {
            size_t at = w.ref == REF_ORDINAL ? (size_t)w.value - 1
                        : w.ref == REF_LAST  ? c->memo.shown_count - 1u
                                             : 0;
            int line = line_last(c);

            if (at < c->memo.shown_count)
                w.value = c->memo.shown[at];
            else if (line >= 0 && w.ref == REF_IT)
                w.value = line_item(c->h, &c->tab->lines[line]);
            else
                continue;
            if (w.value < 0)
                continue;
            w.kind = WISH_ITEM;
        }
        ws->w[n++] = w;
    }
    ws->count = n;
}

static void price(struct ctx *c, struct clause *cl)
{
    struct wishes ws;
    struct buf list, items;
    int64_t sum = 0;
    size_t n = 0;
    bool counted = false, cat = false;
    char text[24];

    asked_wishes(c, cl, &ws);
    say_buf(c, &list);
    say_buf(c, &items);
    for (size_t i = 0; i < ws.count; i++) {
        n += ws.w[i].kind == WISH_ITEM;
        counted |= ws.w[i].qty > 1;
        cat |= ws.w[i].kind == WISH_CAT;
        if (ws.w[i].kind == WISH_OFF)
            off_menu_say(c, ws.w[i].value);
        if (ws.w[i].kind == WISH_CAT)
            show_category(c, ws.w[i].value);
    }
    if (n == 0) {
        if (ws.count == 0)
            say(c, OC_want_which, NULL);
        return;
    }
    c->memo.shown_count = 0;
    for (size_t i = 0, at = 0; i < ws.count; i++) {
        const struct wish *w = &ws.w[i];
        int qty = w->qty > 0 ? w->qty : 1;

        if (w->kind != WISH_ITEM)
            continue;
        show_item(c, w->value);
        item_price(c, w->value, 1, text);
        say_join(&list, at, n);
        buf_printf(&list, "%s %s", c->h->items[w->value].name, text);
        say_join(&items, at++, n);
        say_count(&items, c->h, w->value, NULL, 0, qty);
        sum += c->h->items[w->value].price_cents * qty;
    }
    c->memo.pending = PEND_OFFER;
    if (counted) {
        bar_money(sum, text);
        say(c, OC_price_sum, "items", buf_text(&items), "price", text, NULL);
    } else if (n == 1 && !cat) {
        item_price(c, c->memo.shown[0], 1, text);
        say(c, OC_price, "item", c->h->items[c->memo.shown[0]].name, "price", text, NULL);
    } else {
        say(c, OC_prices, "list", buf_text(&list), NULL);
    }
}

/* "How much is that?": of what was just asked about, or of the order. */
static void how_much(struct ctx *c, struct clause *cl)
{
    if (c->mention_count && !c->acted) { /* "if I had three of these, how much is that?" */
        for (const struct clause *k = cl; k-- > c->clauses;)
            for (size_t i = 0; i < k->n; i++)
                if (k->e[i].kind == EL_ITEM) {
                    struct clause copy = *k;

                    price(c, &copy);
                    return;
                }
    }
    if (c->memo.last_act == ACT_ASK && c->fresh && c->memo.shown_count && !c->acted)
        price(c, cl);
    else
        act_money(c, cl);
}

static const struct wish *first_cat(const struct wishes *ws)
{
    for (size_t i = 0; i < ws->count; i++)
        if (ws->w[i].kind == WISH_CAT)
            return &ws->w[i];
    return NULL;
}

/* The cheapest or dearest, of everything or of one category. */
static void extreme(struct ctx *c, struct clause *cl, bool dearest)
{
    const struct house *h = c->h;
    struct wishes ws;
    const struct wish *cat;
    const char *category = NULL;
    int64_t best = -1;
    size_t n = 0, at = 0;
    struct buf list;
    char text[24];

    parse_wishes(h, cl->e, cl->n, &ws);
    cat = first_cat(&ws);
    if (cat)
        category = h->cats[cat->value];
    else if (ws.count && ws.w[0].kind == WISH_ITEM) /* "the cheapest beer" */
        category = h->items[ws.w[0].value].category;
    for (size_t i = 0; i < h->item_count; i++) {
        int64_t p = h->items[i].price_cents;

        if (category && strcmp(category, h->items[i].category) != 0)
            continue;
        if (best < 0 || (dearest ? p > best : p < best)) {
            best = p;
            n = 0;
        }
        n += p == best;
    }
    say_buf(c, &list);
    c->memo.shown_count = 0;
    for (size_t i = 0; i < h->item_count; i++)
        if (h->items[i].price_cents == best &&
            !(category && strcmp(category, h->items[i].category) != 0)) {
            say_join(&list, at++, n);
            buf_printf(&list, "the %s", h->items[i].name);
            show_item(c, (int)i);
        }
    bar_money(best, text);
    say(c, dearest ? OC_dearest : OC_cheapest, "list", buf_text(&list), "price", text, NULL);
    c->memo.pending = PEND_OFFER;
}

static void describe(struct ctx *c, int item, enum occasion o)
{
    const struct bar_item *it = &c->h->items[item];
    char text[24];

    item_price(c, item, 1, text);
    if (o == OC_describe)
        say(c, o, "item", it->name, "description", it->description, "price", text, NULL);
    else
        say(c, o, "item", it->name, "price", text, "description", it->description, NULL);
    if (c->memo.shown_count < MEMO_SHOWN)
        show_item(c, item);
    c->memo.pending = PEND_OFFER;
}

/* Questions about drinks by name, each answered with the same occasion. */
static void about(struct ctx *c, struct clause *cl, enum occasion o)
{
    struct wishes ws;
    int told = 0;

    asked_wishes(c, cl, &ws);
    c->memo.shown_count = 0;
    for (size_t i = 0; i < ws.count && told < 3; i++, told++) {
        if (ws.w[i].kind == WISH_OFF)
            off_menu_say(c, ws.w[i].value);
        else if (ws.w[i].kind == WISH_CAT)
            show_category(c, ws.w[i].value);
        else
            describe(c, ws.w[i].value, o);
    }
    if (!told) {
        say(c, OC_want_which, NULL);
        c->asked = true;
    }
}

/* ---- recommending ---- */

struct taste {
    const char *words[8]; /* tags an item must or should have */
    size_t count;
    int mood;         /* index, or -1 */
    int64_t under;    /* cents, or -1 */
    int liquor;       /* item named as an ingredient, or -1 */
    int cat;          /* category, or -1 */
    const char *what; /* as the guest named it */
};

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
        } else if (e->kind == EL_ITEM) {
            t->liquor = e->value;
            t->what = h->items[e->value].name;
        } else if (e->kind == EL_MONEY) {
            bool less = i > 0 && e[-1].len >= 4 && (memcmp(e[-1].text, "unde", 4) == 0 ||
                                                    memcmp(e[-1].text, "than", 4) == 0 ||
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

static void recommend(struct ctx *c, struct clause *cl)
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
    c->memo.shown_count = 0;
    say_buf(c, &list);
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_str(&list, i + 1 < n ? ", " : " or ");
        buf_printf(&list, "the %s", c->h->items[best[i]].name);
        show_item(c, best[i]);
    }
    c->memo.pending = PEND_OFFER;
    c->asked = true;
    if (t.under >= 0) {
        bar_money((t.under + 99) / 100 * 100, money);
        say(c, OC_recommend_budget, "price", money, "list", n ? buf_text(&list) : "tap water",
            NULL);
    } else if (!plain && n) {
        say(c, OC_recommend_taste, "what", t.what, "list", buf_text(&list), NULL);
    } else {
        say(c, OC_recommend, "list", buf_text(&list), NULL);
    }
}

/* What is disliked: the nearest that has nothing of it. */
static void taste_no(struct ctx *c, struct clause *cl)
{
    struct taste t;
    struct buf list;
    int mood = mood_index(c->h, "popular");
    size_t n = 0;

    read_taste(c, cl, &t);
    say_buf(c, &list);
    c->memo.shown_count = 0;
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
            show_item(c, (int)i);
        }
    if (!n)
        buf_str(&list, "a glass of water");
    say(c, OC_taste_no, "what", t.what[0] ? t.what : "that", "list", buf_text(&list), NULL);
}

static void choose(struct ctx *c, struct clause *cl)
{
    struct wishes ws;
    int a = -1, b = -1;

    asked_wishes(c, cl, &ws);
    for (size_t i = 0; i < ws.count; i++)
        if (ws.w[i].kind == WISH_ITEM) {
            if (a < 0)
                a = ws.w[i].value;
            else if (b < 0)
                b = ws.w[i].value;
        }
    if (a < 0 || b < 0 || a == b) {
        about(c, cl, OC_opinion);
        return;
    }
    if (c->rng >> 7 & 1) {
        int swap = a;

        a = b;
        b = swap;
    }
    show_only(c, a);
    show_item(c, b);
    say(c, OC_choose, "item", c->h->items[a].name, "other", c->h->items[b].name, NULL);
    c->asked = true;
}

static void afford(struct ctx *c, struct clause *cl)
{
    struct wishes ws;
    struct buf items;
    int64_t sum = 0;
    size_t n = 0, at = 0;
    char price_text[24], balance[24];

    asked_wishes(c, cl, &ws);
    for (size_t i = 0; i < ws.count; i++)
        n += ws.w[i].kind == WISH_ITEM;
    if (!n) {
        cl->intent = IN_BALANCE;
        act_money(c, cl);
        return;
    }
    say_buf(c, &items);
    c->memo.shown_count = 0;
    for (size_t i = 0; i < ws.count; i++) {
        int qty = ws.w[i].qty ? ws.w[i].qty : 1;

        if (ws.w[i].kind != WISH_ITEM)
            continue;
        say_join(&items, at++, n);
        say_count(&items, c->h, ws.w[i].value, NULL, 0, qty);
        sum += c->h->items[ws.w[i].value].price_cents * qty;
        show_item(c, ws.w[i].value);
    }
    bar_money(sum, price_text);
    bar_money(bar_balance_cents(c->tab), balance);
    say(c, sum <= bar_balance_cents(c->tab) ? OC_afford_yes : OC_afford_no, "items",
        buf_text(&items), "price", price_text, "balance", balance, NULL);
    c->memo.pending = PEND_OFFER;
}

static void readback(struct ctx *c)
{
    struct buf items;
    struct reply r;
    char tab[24];

    if (c->tab->line_count == 0) {
        say(c, OC_order_empty, NULL);
        return;
    }
    if (!tool_plain(c, "get_order", &r))
        return;
    say_buf(c, &items);
    say_lines(c, &items);
    bar_money(bar_tab_cents(c->tab), tab);
    say(c, OC_order_now, "items", buf_text(&items), "tab", tab, NULL);
}

static void category(struct ctx *c, struct clause *cl)
{
    struct wishes ws;
    const struct wish *cat;

    parse_wishes(c->h, cl->e, cl->n, &ws);
    cat = first_cat(&ws);
    if (cat) {
        show_category(c, cat->value);
        return;
    }
    for (size_t i = 0; i < ws.count; i++)
        if (ws.w[i].kind == WISH_ITEM)
            for (size_t k = 0; k < c->h->cat_count; k++)
                if (strcmp(c->h->cats[k], c->h->items[ws.w[i].value].category) == 0) {
                    show_category(c, (int)k);
                    return;
                }
    show_menu(c);
}

void act_ask(struct ctx *c, struct clause *cl)
{
    c->did = true;
    if (cl->intent != IN_READBACK) {
        c->memo.last_act = ACT_ASK;
        c->memo.last_ask = (uint8_t)cl->intent;
    }
    switch (cl->intent) {
    case IN_MENU:
        show_menu(c);
        break;
    case IN_CATEGORY:
        category(c, cl);
        break;
    case IN_PRICE:
        price(c, cl);
        break;
    case IN_HOW_MUCH:
        how_much(c, cl);
        break;
    case IN_CHEAPEST:
    case IN_DEAREST:
        extreme(c, cl, cl->intent == IN_DEAREST);
        break;
    case IN_INGREDIENTS:
        about(c, cl, OC_describe);
        break;
    case IN_AVAILABLE:
        about(c, cl, OC_available);
        break;
    case IN_OPINION:
        about(c, cl, OC_opinion);
        break;
    case IN_MENTION:
        about(c, cl, OC_mention);
        break;
    case IN_CHOOSE:
        choose(c, cl);
        break;
    case IN_TASTE_NO:
        taste_no(c, cl);
        break;
    case IN_AFFORD:
        afford(c, cl);
        break;
    case IN_READBACK:
        readback(c);
        break;
    case IN_STRONGEST: {
        struct taste t = {
            .mood = mood_index(c->h, "strong"), .under = -1, .liquor = -1, .cat = -1};
        int best[3] = {0};
        struct buf list;
        size_t n = best_of(c, &t, best);

        say_buf(c, &list);
        c->memo.shown_count = 0;
        for (size_t i = 0; i < n; i++) {
            if (i)
                buf_str(&list, i + 1 < n ? ", " : " and ");
            buf_printf(&list, "the %s", c->h->items[best[i]].name);
            show_item(c, best[i]);
        }
        say(c, OC_strongest, "list", n ? buf_text(&list) : "my opinions", NULL);
        c->memo.pending = PEND_OFFER;
        break;
    }
    default:
        recommend(c, cl);
        break;
    }
}
