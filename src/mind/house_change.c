/* Changing what is there: how many, how it is wanted, and "make that ...". */
#include "mind/house_int.h"

#include <string.h>

#define LINES_MAX BAR_LINES_MAX

/* ---- quantities ---- */

static void tell_line(struct ctx *c, enum occasion o, int line)
{
    struct buf items;

    house__say_buf(c, &items);
    house__count_line(c, &items, line, c->tab->lines[line].quantity);
    house__say(c, o, "items", buf_text(&items), NULL);
}

void house__set_quantity(struct ctx *c, int line, int qty)
{
    struct reply r;
    int item = house__line_item(c->h, &c->tab->lines[line]), had = c->tab->lines[line].quantity;

    if (qty == 0) {
        struct buf parts;

        house__say_buf(c, &parts);
        if (house__remove_line(c, line, 0, &parts))
            house__tell_removed(c, &parts, 1);
        c->memo.last_act = ACT_REMOVE;
        return;
    }
    if (qty == had) {
        house__touch_line(c, line, 0);
        tell_line(c, OC_same_already, line);
        return;
    }
    if (!house__tool_quantity(c, line, qty, &r))
        return;
    if (!r.ok) {
        house__say_error(c, &r, item, qty > had ? qty - had : qty);
        return;
    }
    /* what was added and not yet told is told with its new number */
    if (c->added_parts == 1 && c->memo.last_act == ACT_ADD && c->acted) {
        c->added_parts = 0;
        buf_clear(&c->added);
    }
    house__touch_line(c, line, qty > had ? qty - had : 0);
    if (c->memo.touched_count)
        c->memo.touched[c->memo.touched_count - 1].qty = (uint8_t)(qty > 255 ? 255 : qty);
    if (c->memo.round_count)
        for (size_t i = 0; i < c->memo.round_count; i++)
            if (c->memo.round[i].item == item + 1)
                c->memo.round[i].qty = (uint8_t)(qty > 255 ? 255 : qty);
    c->memo.pending = PEND_MORE;
    tell_line(c, OC_changed_quantity, line);
}

/* ---- modifiers ---- */

/* "one neat, one on the rocks": the other of the same drink, which has no wish of its own yet.
 */
static int plain_line(struct ctx *c, int line, const struct wish *w)
{
    if (w->kind != WISH_REF || w->qty < 1 || w->weak || !c->tab->lines[line].modifiers[0])
        return line;
    for (int i = 0; i < c->tab->line_count; i++)
        if (strcmp(c->tab->lines[i].name, c->tab->lines[line].name) == 0 &&
            !c->tab->lines[i].modifiers[0] && c->tab->lines[i].quantity >= w->qty)
            return i;
    return line;
}

void house__change_mods(struct ctx *c, int line, const struct wish *w)
{
    uint8_t mods[WISH_MODS], was[WISH_MODS];
    size_t had, n;
    int qty, item;
    struct reply r;

    line = plain_line(c, line, w);
    had = house__line_mods(c->h, &c->tab->lines[line], mods);
    qty = c->tab->lines[line].quantity;
    item = house__line_item(c->h, &c->tab->lines[line]);
    memcpy(was, mods, sizeof(was));
    n = house__mods_merge(c->h, item, mods, had, w);
    if (n == had && memcmp(was, mods, n) == 0) {
        tell_line(c, OC_same_already, line);
        return;
    }
    if (w->qty > 0 && !w->weak && w->qty < qty) { /* "make one of them dirty" */
        if (!house__tool_quantity(c, line, qty - w->qty, &r) || !r.ok ||
            !house__tool_add(c, item, mods, n, w->qty, &r) || !r.ok)
            return;
        line = c->tab->line_count - 1;
    } else {
        if (!house__tool_modifiers(c, line, mods, n, &r))
            return;
        if (!r.ok) {
            house__say_error(c, &r, -1, 0);
            return;
        }
        for (int i = c->tab->line_count - 1; i >= 0; i--) {
            uint8_t now[WISH_MODS];

            if (house__line_item(c->h, &c->tab->lines[i]) == item &&
                house__line_mods(c->h, &c->tab->lines[i], now) == n &&
                memcmp(now, mods, n) == 0) {
                line = i;
                break;
            }
        }
    }
    if (line < c->tab->line_count) {
        struct touch keep = {0};

        for (size_t i = 0; i < c->memo.touched_count; i++)
            if (c->memo.touched[i].item == item + 1)
                keep = c->memo.touched[i];
        house__touch_line(c, line, keep.qty);
        for (size_t i = 0; i < c->memo.round_count; i++)
            if (c->memo.round[i].item == item + 1) {
                c->memo.round[i].mod_count = (uint8_t)(n < 4 ? n : 4);
                memset(c->memo.round[i].mods, 0, 4);
                memcpy(c->memo.round[i].mods, mods, c->memo.round[i].mod_count);
            }
        if (c->added_parts == 1) { /* told with the change instead */
            c->added_parts = 0;
            buf_clear(&c->added);
        }
        tell_line(c, OC_changed_modifiers, line);
    }
    c->memo.pending = PEND_MORE;
    if (c->memo.last_act != ACT_ADD)
        c->memo.last_act = ACT_CHANGE;
}

void house__act_modify(struct ctx *c, struct clause *cl)
{
    struct wishes ws;

    house__parse_wishes(c->h, cl->e, cl->n, &ws);
    c->did = true;
    for (size_t i = 0; i < ws.count && !c->refused; i++) {
        struct wish *w = &ws.w[i], seek = *w;
        int lines[LINES_MAX], n;

        if (cl->intent == IN_REMOVE) { /* the named modifiers go */
            memcpy(w->off_mods, w->mods, sizeof(w->off_mods));
            w->off_count = w->mod_count;
            w->mod_count = 0;
        }
        seek.mod_count = 0;
        if (seek.kind == WISH_REF && seek.ref == REF_NONE)
            seek.ref = REF_IT;
        n = (int)house__lines_of(c, &seek, lines, LINES_MAX);
        if (n == 0) {
            if (c->tab->line_count == 0)
                house__say(c, OC_want_which, NULL);
            else
                house__not_there(c, w);
            continue;
        }
        if (!w->mod_count && !w->off_count)
            continue;
        if (n > 1 && w->kind == WISH_ITEM && !w->plural && !w->qty) {
            lines[0] = lines[n - 1]; /* the newest */
            n = 1;
        }
        for (int k = n - 1; k >= 0 && !c->refused; k--)
            house__change_mods(c, lines[k], w);
    }
}

/* ---- "make that ..." ---- */

static bool was_touched(struct ctx *c, int item)
{
    for (size_t i = 0; i < c->memo.touched_count; i++)
        if (c->memo.touched[i].item == item + 1)
            return true;
    return false;
}

/* A named drink after "make that" or "I meant": a new number for it, or it for the last one. */
static void set_or_replace(struct ctx *c, const struct clause *cl, const struct wish *what,
                           int want, int times)
{
    int lines[LINES_MAX], n = (int)house__lines_of(c, what, lines, LINES_MAX),
                          line = house__line_last(c);
    bool last_is_it = line >= 0 && house__line_item(c->h, &c->tab->lines[line]) == what->value;
    bool recent = c->fresh || c->acted;

    if (n == 0 && what->part && line >= 0 && want > 0 && want < c->tab->lines[line].quantity) {
        struct buf parts; /* "make two of those iced teas" */

        house__say_buf(c, &parts);
        if (house__remove_line(c, line, want, &parts))
            house__order_wish(c, what, want);
        return;
    }
    if (n > 0 && times > 1)
        house__set_quantity(c, lines[n - 1], c->tab->lines[lines[n - 1]].quantity * times);
    else if (n > 0 && want &&
             (what->the || (was_touched(c, what->value) && !(what->weak && !last_is_it))))
        house__set_quantity(c, lines[n - 1], want);
    else if (n > 0 && want && !what->weak)
        house__set_quantity(c, lines[n - 1], want);
    else if (line >= 0 && recent && c->memo.last_act != ACT_REMOVE && !last_is_it &&
             (!what->the || cl->intent == IN_MEANT))
        house__replace_line(c, line, what);
    else if (n > 0 && want && !what->weak)
        house__set_quantity(c, lines[n - 1], want);
    else if (n > 0 && (what->the || last_is_it))
        tell_line(c, OC_same_already, lines[n - 1]);
    else if (what->the)
        house__not_there(c, what);
    else
        house__order_wish(c, what, want ? want : 1);
}

/*
 * "Make two of them IPAs", "make the last one gin": some of a line become another drink, or a
 * cocktail changes the liquor it is made with.
 */
static bool change_some(struct ctx *c, const struct wishes *ws)
{
    const struct wish *w = &ws->w[0], *what = &ws->w[ws->count > 1];
    int lines[LINES_MAX];
    size_t n;

    if (ws->count == 0 || ws->count > 2 || what->kind != WISH_ITEM || what->qty ||
        (w != what && w->kind != WISH_REF))
        return false;
    n = w == what ? 0 : house__lines_of(c, w, lines, LINES_MAX);
    if (n == 0) {
        lines[0] = house__line_last(c);
        n = lines[0] >= 0;
    }
    if (n != 1 || house__line_item(c->h, &c->tab->lines[lines[0]]) == what->value)
        return false;
    if (house__made_with(c->h, house__line_item(c->h, &c->tab->lines[lines[0]]), what->value)) {
        struct wish liquor = {.kind = WISH_REF,
                              .qty = w == what ? 0 : w->qty,
                              .mods = {(uint8_t)(128 + what->value)},
                              .mod_count = 1};

        house__change_mods(c, lines[0], &liquor);
        return true;
    }
    if (w != what && w->part && w->qty && w->qty < c->tab->lines[lines[0]].quantity) {
        struct wishes old = {.count = 1}, new = {.count = 1};

        old.w[0] = *w;
        new.w[0] = *what;
        house__replace_with(c, &old, &new);
        return true;
    }
    return false;
}

static void modify_instead(struct ctx *c, const struct clause *cl)
{
    struct clause copy = *cl;

    copy.intent = IN_MODIFY;
    house__act_modify(c, &copy);
}

static bool is_liquor_of(struct ctx *c, int line, const struct wish *w)
{
    int item = house__line_item(c->h, &c->tab->lines[line]);

    return item >= 0 && strcmp(c->h->items[item].category, "Cocktails") == 0 &&
           strcmp(c->h->items[w->value].category, "Spirits") == 0;
}

/* A drink is named: it is what it shall be ("make it a gin"), or what is meant ("make the
 * martinis three"). `times` is 2 for "double the beers". */
static void make_named(struct ctx *c, const struct clause *cl, const struct wishes *ws,
                       const struct wish *what, int times)
{
    int lines[LINES_MAX], want = what->qty, line = house__line_last(c);

    for (size_t i = 0; i < ws->count; i++)
        if (ws->w[i].kind == WISH_REF && ws->w[i].qty && !want)
            want = ws->w[i].qty;
    for (size_t i = 0; i < cl->n && !want; i++)
        if (cl->e[i].kind == EL_NUM && !cl->e[i].weak)
            want = cl->e[i].value;
    if (line >= 0 && !what->qty && !what->the && times == 1 && is_liquor_of(c, line, what)) {
        struct wish w = {.mods = {(uint8_t)(128 + what->value)}, .mod_count = 1};

        house__change_mods(c, line, &w); /* "make it vodka" */
        return;
    }
    if (house__lines_of(c, what, lines, LINES_MAX) && what->mod_count && times == 1 &&
        (!want || what->weak || what->part || what->the)) {
        modify_instead(c, cl);
        return;
    }
    set_or_replace(c, cl, what, want, times);
    for (size_t i = 0; i < ws->count && !c->refused; i++)
        if (&ws->w[i] > what && ws->w[i].kind != WISH_REF)
            house__order_wish(c, &ws->w[i], ws->w[i].qty ? ws->w[i].qty : 1);
}

/* No drink is named: it is about the one touched last. */
static void make_last(struct ctx *c, const struct clause *cl, const struct wish *w, int times)
{
    int lines[LINES_MAX], line = house__line_last(c);

    if (line < 0) {
        house__say(c, OC_of_what, NULL);
        c->asked = true;
        return;
    }
    if (w && w->mod_count && times == 2 && cl->n <= 2 && c->tab->lines[line].quantity == 1 &&
        house__is_spirit(c->h, house__line_item(c->h, &c->tab->lines[line])))
        times = 1; /* "double", behind a whiskey */
    if (w && (w->mod_count || w->off_count) && times == 1) {
        modify_instead(c, cl);
        return;
    }
    if (w && w->ref == REF_ORDINAL && house__lines_of(c, w, lines, LINES_MAX))
        line = lines[0];
    for (size_t i = 0; i < cl->n; i++)
        if (cl->e[i].kind == EL_NUM) {
            house__set_quantity(c, line, cl->e[i].value);
            return;
        }
    if (times > 1)
        house__set_quantity(c, line, c->tab->lines[line].quantity * times);
    else
        house__say(c, OC_unknown, NULL);
}

void house__act_quantity(struct ctx *c, struct clause *cl)
{
    struct wishes ws;
    struct wish *w, *what = NULL;
    int times = 1;

    c->did = true;
    house__parse_wishes(c->h, cl->e, cl->n, &ws);
    /* "double that", but "make it a double" */
    if (cl->e[0].word == c->h->known->double_)
        times = 2;
    if (cl->e[0].word == c->h->known->triple)
        times = 3;
    if (ws.count == 2 && ws.w[0].kind == WISH_ITEM && (ws.w[0].the || ws.w[0].part) &&
        ws.w[1].kind == WISH_ITEM && !ws.w[1].the && ws.w[0].value != ws.w[1].value) {
        struct wishes old = {.count = 1}, new = {.count = 1};

        old.w[0] = ws.w[0]; /* "make one of the cosmos a daiquiri" */
        new.w[0] = ws.w[1];
        house__replace_with(c, &old, &new);
        return;
    }
    w = ws.count ? &ws.w[0] : NULL;
    if (change_some(c, &ws))
        return;
    for (size_t i = 0; i < ws.count && !what; i++)
        if (ws.w[i].kind != WISH_REF)
            what = &ws.w[i];
    if (!what)
        make_last(c, cl, w, times);
    else if (what->kind == WISH_ITEM && (w == what || w->kind == WISH_REF))
        make_named(c, cl, &ws, what, times);
    else /* not on the menu, or a category */
        house__order_wish(c, what, 1);
}
