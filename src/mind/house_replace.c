/* Another drink instead of the one that is there. */
#include "mind/house_int.h"

#include <string.h>

#define LINES_MAX BAR_LINES_MAX

void house__replace_line(struct ctx *c, int line, const struct wish *to)
{
    struct bar_line old = c->tab->lines[line];
    uint8_t mods[WISH_MODS];
    size_t n = house__line_mods(c->h, &old, mods);
    struct buf from, items;
    struct reply r;
    int qty = to->qty > 0 && !(to->weak && old.quantity > 1) ? to->qty : old.quantity;
    struct wish add = *to;

    if (to->kind == WISH_OFF) {
        house__off_menu_say(c, to->value);
        return;
    }
    if (to->kind != WISH_ITEM)
        return;
    house__say_buf(c, &from);
    house__count_line(c, &from, line, old.quantity);
    if (house__line_item(c->h, &old) != to->value)
        n = 0;
    n = house__mods_merge(c->h, to->value, mods, n, &add);
    if (!house__tool_remove(c, line, 0, &r) || !r.ok)
        return;
    if (!house__tool_add(c, to->value, mods, n, qty, &r))
        return;
    if (!r.ok) { /* put back what was there: a refused swap changes nothing */
        struct reply again;
        uint8_t was[WISH_MODS];
        size_t k = house__line_mods(c->h, &old, was);

        house__tool_add(c, house__line_item(c->h, &old), was, k, old.quantity, &again);
        house__say_error(c, &r, to->value, qty);
        return;
    }
    if (c->added_parts == 1) {
        c->added_parts = 0;
        buf_clear(&c->added);
    }
    house__say_buf(c, &items);
    house__say_count(&items, c->h, to->value, mods, n, qty);
    for (int i = 0; i < c->tab->line_count; i++)
        if (house__line_item(c->h, &c->tab->lines[i]) == to->value) {
            c->memo.touched_count = c->acted ? c->memo.touched_count : 0;
            house__touch_line(c, i, qty);
            break;
        }
    for (size_t i = 0; i < c->memo.round_count; i++)
        if (c->memo.round[i].item == house__line_item(c->h, &old) + 1) {
            c->memo.round[i].item = (uint8_t)(to->value + 1);
            c->memo.round[i].qty = (uint8_t)(qty > 255 ? 255 : qty);
            c->memo.round[i].mod_count = (uint8_t)(n < 4 ? n : 4);
            memset(c->memo.round[i].mods, 0, 4);
            memcpy(c->memo.round[i].mods, mods, c->memo.round[i].mod_count);
        }
    c->memo.last_act = ACT_ADD;
    c->memo.pending = PEND_MORE;
    house__say(c, OC_changed_item, "from", buf_text(&from), "items", buf_text(&items), NULL);
}

/* Where the wishes split into what goes and what comes: "X for Y", "Y instead of X". */
static bool split_at(const struct house *h, const struct clause *cl, size_t *ret, bool *turned)
{
    bool verb = false, preferred = false;

    *turned = false;
    for (size_t i = 0; i < cl->n; i++) {
        const struct el *e = &cl->e[i];

        if (IS(e, instead) || IS(e, rather)) {
            if (i + 1 < cl->n && (IS(e + 1, of) || IS(e + 1, than))) {
                *ret = i;
                *turned = true; /* what comes stands first, if it stands here at all */
                return true;
            }
            continue;
        }
        if (IS(e, than) && verb) { /* "I'd rather have tea than the lemonade" */
            *ret = i;
            *turned = true;
            return true;
        }
        if (IS(e, not_) && i > 0) {
            *ret = i;
            *turned = true;
            return true;
        }
        if (verb && preferred && IS(e, to)) { /* "she'd prefer a Manhattan to the brandy" */
            *ret = i;
            *turned = true;
            return true;
        }
        preferred |= IS(e, rather) || (e->len >= 6 && memcmp(e->text, "prefer", 6) == 0);
        verb |= e->kind == EL_ITEM || e->kind == EL_OFF || e->kind == EL_CAT || IS(e, it) ||
                IS(e, that) || IS(e, one) || IS(e, them) || IS(e, those);
        if (verb && (IS(e, for_) || IS(e, to) || IS(e, with) || IS(e, into) || IS(e, by))) {
            *ret = i;
            return true;
        }
    }
    return false;
}

/* "Instead of three beers give me two", "two IPAs instead of one": a number for a number. */
static bool instead_number(struct ctx *c, const struct wish *old, const struct wish *to)
{
    const struct wish *drink = old->kind == WISH_ITEM ? old : to;
    const struct wish *number = old->kind == WISH_ITEM ? to : old;
    int lines[LINES_MAX];
    size_t n;

    if (drink->kind != WISH_ITEM || !drink->qty || number->kind != WISH_REF ||
        number->ref != REF_ONE || !number->qty)
        return false;
    n = house__lines_of(c, drink, lines, LINES_MAX);
    if (n)
        house__set_quantity(c, lines[n - 1], to->qty);
    return n > 0;
}

static void order_from(struct ctx *c, const struct wishes *ws, size_t first)
{
    for (size_t i = first; i < ws->count && !c->refused; i++)
        house__order_wish(c, &ws->w[i], ws->w[i].qty ? ws->w[i].qty : 1);
}

/* "Change the vodka to gin", and there is no vodka: perhaps the liquor of a cocktail. */
static bool change_liquor(struct ctx *c, const struct wish *from, const struct wish *to)
{
    const struct house *h = c->h;

    if (from->kind != WISH_ITEM || to->kind != WISH_ITEM ||
        strcmp(h->items[to->value].category, "Spirits") != 0)
        return false;
    for (int i = 0; i < c->tab->line_count; i++) {
        struct wish w = {.mods = {(uint8_t)(128 + to->value)}, .mod_count = 1};
        uint8_t mods[WISH_MODS];
        size_t n = house__line_mods(h, &c->tab->lines[i], mods);
        int item = house__line_item(h, &c->tab->lines[i]);
        bool has = n == 0;

        for (size_t k = 0; k < n; k++)
            has |= mods[k] == 128 + from->value;
        if (has && item >= 0 && strcmp(h->items[item].category, "Cocktails") == 0) {
            house__change_mods(c, i, &w);
            return true;
        }
    }
    return false;
}

/* "Swap the martini and the beer for two negronis" */
static void replace_several(struct ctx *c, const struct wishes *old, const struct wishes *new)
{
    struct buf parts;
    int done = 0;

    house__say_buf(c, &parts);
    for (size_t i = 0; i < old->count && !c->refused; i++)
        done += house__remove_wish(c, &old->w[i], &parts);
    house__tell_removed(c, &parts, done);
    order_from(c, new, 0);
}

static bool last_was_one(struct ctx *c)
{
    const struct memo *m = &c->memo;

    return m->last_act == ACT_ADD && m->touched_count == 1 && m->touched[0].qty == 1;
}

static void take_one(struct ctx *c, int line, const struct wish *to)
{
    struct buf parts;

    house__say_buf(c, &parts);
    if (!house__remove_line(c, line, 1, &parts))
        return;
    house__tell_removed(c, &parts, 1);
    house__order_wish(c, to, 1);
}

/* "Change one of the beers to a water", "his beer should be an IPA": not all of the line. */
static bool swap_some(struct ctx *c, int line, const struct wish *from, const struct wish *to)
{
    struct buf parts;
    int qty = from->weak ? 0 : from->qty;

    if (from->kind == WISH_ITEM && !from->plural && !from->qty && to->weak)
        qty = 1;
    if (qty < 1 || qty >= c->tab->lines[line].quantity)
        return false;
    house__say_buf(c, &parts);
    house__tell_removed(c, &parts, house__remove_line(c, line, qty, &parts) ? 1 : 0);
    house__order_wish(c, to, to->qty && !to->weak ? to->qty : qty);
    return true;
}

void house__replace_with(struct ctx *c, const struct wishes *old, const struct wishes *new)
{
    int lines[LINES_MAX], n = 0;
    struct wish to, seek;

    if (new->count == 0) {
        house__say(c, OC_want_which, NULL);
        c->asked = true;
        return;
    }
    to = new->w[0];
    if (old->count == 1 && instead_number(c, &old->w[0], &to))
        return;
    if (old->count == 0 &&
        (c->removed || (c->fresh && !c->acted && c->memo.pending == PEND_OFFER) ||
         (c->fresh && !c->acted &&
          c->memo.last_act == ACT_REMOVE))) { /* "drop the gin, a lemonade instead" */
        order_from(c, new, 0);
        return;
    }
    if (old->count == 0) {
        n = house__line_last(c) >= 0;
        lines[0] = house__line_last(c);
        if (n && to.kind == WISH_ITEM && to.weak && last_was_one(c) &&
            c->tab->lines[lines[0]].quantity > 1) {
            take_one(c, lines[0], &to); /* "the same for him" ... "an IPA for him instead" */
            return;
        }
    } else {
        seek = old->w[0];
        n = (int)house__lines_of(c, &seek, lines, LINES_MAX);
        if (n == 0 && change_liquor(c, &seek, &to))
            return;
        if (n == 0) {
            house__not_there(c, &seek);
            c->memo.shown_count = 0;
            if (to.kind == WISH_ITEM)
                house__show_item(c, to.value);
            return;
        }
        if (swap_some(c, lines[n - 1], &seek, &to))
            return;
    }
    if (n == 0) {
        order_from(c, new, 0);
        return;
    }
    if (old->count > 1) {
        replace_several(c, old, new);
        return;
    }
    if (n > 1 && !old->w[0].plural) {
        lines[0] = lines[n - 1];
        n = 1;
    }
    for (int i = n - 1; i >= 0 && !c->refused; i--)
        house__replace_line(c, lines[i], &to);
    order_from(c, new, 1);
}

void house__act_replace(struct ctx *c, struct clause *cl)
{
    struct wishes a = {.count = 0}, b = {.count = 0};
    size_t at;
    bool turned;

    c->did = true;
    if (!split_at(c->h, cl, &at, &turned)) {
        /* "a negroni instead", "not a martini a negroni": the last drink named is what comes */
        house__parse_wishes(c->h, cl->e, cl->n, &b);
        if (cl->intent == IN_REPLACE && b.count == 2 && b.w[0].the && !b.w[1].the) {
            a.w[0] = b.w[0];
            a.count = 1;
            b.w[0] = b.w[1];
            b.count = 1;
        }
        if (b.count == 1 && b.w[0].the && b.w[0].kind == WISH_ITEM &&
            cl->intent == IN_REPLACE && !cl->question) {
            int lines[LINES_MAX];

            if (house__lines_of(c, &b.w[0], lines,
                                LINES_MAX)) { /* "switch the beer": to what? */
                house__touch_line(c, lines[0], 0);
                house__say(c, OC_want_which, NULL);
                c->asked = true;
                return;
            }
        }
        house__replace_with(c, &a, &b);
        return;
    }
    house__parse_wishes(c->h, cl->e, at, &a);
    house__parse_wishes(c->h, cl->e + at + 1, cl->n - at - 1, &b);
    if (!turned && b.count && b.w[0].kind == WISH_REF) { /* "change the waters to two" */
        house__act_quantity(c, cl);
        return;
    }
    if (turned && a.count == 1 && a.w[0].kind == WISH_REF && a.w[0].mod_count &&
        !house__names_drink(cl) &&
        house__line_last(c) >= 0) { /* "up instead of on the rocks" */
        house__change_mods(c, house__line_last(c), &a.w[0]);
        return;
    }
    if (turned && a.count == 0 && b.count == 2) { /* "instead of the beer a gin" */
        a.w[0] = b.w[0];
        a.count = 1;
        b.w[0] = b.w[1];
        b.count = 1;
        house__replace_with(c, &a, &b);
    } else if (turned) {
        house__replace_with(c, &b, &a);
    } else {
        house__replace_with(c, &a, &b);
    }
}
