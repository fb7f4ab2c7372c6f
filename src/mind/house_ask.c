/* Questions: the menu, prices, what is in a drink, what to have, and what was ordered. */
#include "mind/house_int.h"

#include <string.h>

static void show_only(struct ctx *c, int item)
{
    house__shown_reset(c);
    house__show_item(c, item);
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
        house__say_join(out, at++, n);
        item_price(c, (int)i, 1, price);
        buf_printf(out, "%s %s", h->items[i].name, price);
    }
}

static void show_menu(struct ctx *c)
{
    struct buf list;
    struct reply r;

    if (!house__tool_plain(c, "get_menu", &r))
        return;
    house__say_buf(c, &list);
    for (size_t i = 0; i < c->h->cat_count; i++) {
        buf_printf(&list, "%s%s: ", i ? ". " : "", c->h->cats[i]);
        list_items(c, (int)i, &list);
    }
    house__say(c, OC_menu, "list", buf_text(&list), NULL);
    house__shown_reset(c);
}

static void show_category(struct ctx *c, int cat)
{
    struct buf list;

    house__say_buf(c, &list);
    list_items(c, cat, &list);
    house__shown_reset(c);
    for (size_t i = 0; i < c->h->item_count; i++)
        if (strcmp(c->h->items[i].category, c->h->cats[cat]) == 0)
            house__show_item(c, (int)i);
    house__say(c, OC_category, "what", c->h->cats[cat], "list", buf_text(&list), NULL);
}

/* The wishes of a question; references become the items they mean. */
static void asked_wishes(struct ctx *c, struct clause *cl, struct wishes *ws)
{
    size_t n = 0;

    house__parse_wishes(c->h, cl->e, cl->n, ws);
    for (size_t i = 0; i < ws->count; i++) {
        struct wish w = ws->w[i];

        if (w.kind == WISH_REF) {
            size_t at = w.ref == REF_ORDINAL ? (size_t)w.value - 1
                        : w.ref == REF_LAST  ? c->memo.shown_count - 1u
                                             : 0;
            int line = house__line_last(c);

            if (at < c->memo.shown_count)
                w.value = c->memo.shown[at];
            else if (line >= 0 && w.ref == REF_IT)
                w.value = house__line_item(c->h, &c->tab->lines[line]);
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
    int first = 0;
    bool counted = false, cat = false;
    char text[24];

    asked_wishes(c, cl, &ws);
    house__say_buf(c, &list);
    house__say_buf(c, &items);
    for (size_t i = 0; i < ws.count; i++) {
        n += ws.w[i].kind == WISH_ITEM;
        counted |= ws.w[i].qty > 1;
        cat |= ws.w[i].kind == WISH_CAT;
        if (ws.w[i].kind == WISH_OFF)
            house__off_menu_say(c, ws.w[i].value);
        if (ws.w[i].kind == WISH_CAT)
            show_category(c, ws.w[i].value);
    }
    if (n == 0) {
        if (ws.count == 0)
            house__say(c, OC_want_which, NULL);
        return;
    }
    house__shown_reset(c);
    for (size_t i = 0, at = 0; i < ws.count; i++) {
        const struct wish *w = &ws.w[i];
        int qty = w->qty > 0 ? w->qty : 1;

        if (w->kind != WISH_ITEM)
            continue;
        if (at == 0)
            first = w->value;
        house__show_item(c, w->value);
        item_price(c, w->value, 1, text);
        house__say_join(&list, at, n);
        buf_printf(&list, "%s %s", c->h->items[w->value].name, text);
        house__say_join(&items, at++, n);
        house__say_count(&items, c->h, w->value, NULL, 0, qty);
        sum += c->h->items[w->value].price_cents * qty;
    }
    c->memo.pending = PEND_OFFER;
    if (counted) {
        bar_money(sum, text);
        house__say(c, OC_price_sum, "items", buf_text(&items), "price", text, NULL);
    } else if (n == 1 && !cat) {
        item_price(c, first, 1, text);
        house__say(c, OC_price, "item", c->h->items[first].name, "price", text, NULL);
    } else {
        house__say(c, OC_prices, "list", buf_text(&list), NULL);
    }
}

static bool names_something(struct ctx *c, struct clause *cl)
{
    struct wishes ws;

    asked_wishes(c, cl, &ws);
    return ws.count > 0;
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
    if (c->memo.last_act == ACT_ASK && c->fresh && c->memo.shown_count && !c->acted &&
        names_something(c, cl))
        price(c, cl);
    else
        house__act_money(c, cl);
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

    house__parse_wishes(h, cl->e, cl->n, &ws);
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
    house__say_buf(c, &list);
    house__shown_reset(c);
    for (size_t i = 0; i < h->item_count; i++)
        if (h->items[i].price_cents == best &&
            !(category && strcmp(category, h->items[i].category) != 0)) {
            house__say_join(&list, at++, n);
            buf_printf(&list, "the %s", h->items[i].name);
            house__show_item(c, (int)i);
        }
    bar_money(best, text);
    house__say(c, dearest ? OC_dearest : OC_cheapest, "list", buf_text(&list), "price", text,
               NULL);
    c->memo.pending = PEND_OFFER;
}

static void describe(struct ctx *c, int item, enum occasion o)
{
    const struct bar_item *it = &c->h->items[item];
    char text[24];

    c->described = item + 1;
    item_price(c, item, 1, text);
    if (o == OC_describe)
        house__say(c, o, "item", it->name, "description", it->description, "price", text, NULL);
    else
        house__say(c, o, "item", it->name, "price", text, "description", it->description, NULL);
    if (c->memo.shown_count < MEMO_SHOWN)
        house__show_item(c, item);
    c->memo.pending = PEND_OFFER;
}

/* Questions about drinks by name, each answered with the same occasion. */
static void about(struct ctx *c, struct clause *cl, enum occasion o)
{
    struct wishes ws;
    int told = 0;

    asked_wishes(c, cl, &ws);
    for (size_t i = 0; i < ws.count && told < 3; i++, told++) {
        if (ws.w[i].kind == WISH_ITEM && c->described == ws.w[i].value + 1)
            continue; /* "what about the IPA, what is in it?" */
        if (told == 0)
            house__shown_reset(c);
        if (ws.w[i].kind == WISH_OFF)
            house__off_menu_say(c, ws.w[i].value);
        else if (ws.w[i].kind == WISH_CAT)
            show_category(c, ws.w[i].value);
        else
            describe(c, ws.w[i].value, o);
    }
    if (!told) {
        house__say(c, OC_want_which, NULL);
        c->asked = true;
    }
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
    house__show_item(c, b);
    house__say(c, OC_choose, "item", c->h->items[a].name, "other", c->h->items[b].name, NULL);
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
        house__act_money(c, cl);
        return;
    }
    house__say_buf(c, &items);
    house__shown_reset(c);
    for (size_t i = 0; i < ws.count; i++) {
        int qty = ws.w[i].qty ? ws.w[i].qty : 1;

        if (ws.w[i].kind != WISH_ITEM)
            continue;
        house__say_join(&items, at++, n);
        house__say_count(&items, c->h, ws.w[i].value, NULL, 0, qty);
        sum += c->h->items[ws.w[i].value].price_cents * qty;
        house__show_item(c, ws.w[i].value);
    }
    bar_money(sum, price_text);
    bar_money(bar_balance_cents(c->tab), balance);
    house__say(c, sum <= bar_balance_cents(c->tab) ? OC_afford_yes : OC_afford_no, "items",
               buf_text(&items), "price", price_text, "balance", balance, NULL);
    c->memo.pending = PEND_OFFER;
}

static void readback(struct ctx *c)
{
    struct buf items;
    struct reply r;
    char tab[24];

    if (c->tab->line_count == 0) {
        house__say(c, OC_order_empty, NULL);
        return;
    }
    if (!house__tool_plain(c, "get_order", &r))
        return;
    house__say_buf(c, &items);
    house__say_lines(c, &items);
    bar_money(bar_tab_cents(c->tab), tab);
    house__say(c, OC_order_now, "items", buf_text(&items), "tab", tab, NULL);
}

static void category(struct ctx *c, struct clause *cl)
{
    struct wishes ws;
    const struct wish *cat;

    house__parse_wishes(c->h, cl->e, cl->n, &ws);
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

void house__act_ask(struct ctx *c, struct clause *cl)
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
        house__taste_no(c, cl);
        break;
    case IN_AFFORD:
        afford(c, cl);
        break;
    case IN_READBACK:
        readback(c);
        break;
    case IN_STRONGEST:
        house__strongest(c);
        break;
    default:
        house__recommend(c, cl);
        break;
    }
}
