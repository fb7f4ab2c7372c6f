/* Another drink instead of the one that is there. */
#include "mind/house_int.h"

#include <string.h>

#define LINES_MAX BAR_LINES_MAX

void replace_line(struct ctx *c, int line, const struct wish *to)
{
    struct bar_line old = c->tab->lines[line];
    uint8_t mods[WISH_MODS];
    size_t n = line_mods(c->h, &old, mods);
    struct buf from, items;
    struct reply r;
    int qty = to->qty > 0 && !(to->weak && old.quantity > 1) ? to->qty : old.quantity;
    struct wish add = *to;

    if (to->kind == WISH_OFF) {
        off_menu_say(c, to->value);
        return;
    }
    if (to->kind != WISH_ITEM)
        return;
    say_buf(c, &from);
    count_line(c, &from, line, old.quantity);
    if (line_item(c->h, &old) != to->value)
        n = 0;
    n = mods_merge(c->h, mods, n, &add);
    if (!tool_remove(c, line, 0, &r) || !r.ok)
        return;
    if (!tool_add(c, to->value, mods, n, qty, &r))
        return;
    if (!r.ok) { /* put back what was there: a refused swap changes nothing */
        struct reply again;
        uint8_t was[WISH_MODS];
        size_t k = line_mods(c->h, &old, was);

        tool_add(c, line_item(c->h, &old), was, k, old.quantity, &again);
        say_error(c, &r, to->value, qty);
        return;
    }
    if (c->added_parts == 1) {
        c->added_parts = 0;
        buf_clear(&c->added);
    }
    say_buf(c, &items);
    say_count(&items, c->h, to->value, mods, n, qty);
    for (int i = 0; i < c->tab->line_count; i++)
        if (line_item(c->h, &c->tab->lines[i]) == to->value) {
            c->memo.touched_count = c->acted ? c->memo.touched_count : 0;
            touch_line(c, i, qty);
            break;
        }
    for (size_t i = 0; i < c->memo.round_count; i++)
        if (c->memo.round[i].item == line_item(c->h, &old) + 1) {
            c->memo.round[i].item = (uint8_t)(to->value + 1);
            c->memo.round[i].qty = (uint8_t)(qty > 255 ? 255 : qty);
            c->memo.round[i].mod_count = (uint8_t)(n < 4 ? n : 4);
            memset(c->memo.round[i].mods, 0, 4);
            memcpy(c->memo.round[i].mods, mods, c->memo.round[i].mod_count);
        }
    c->memo.last_act = ACT_ADD;
    c->memo.pending = PEND_MORE;
    say(c, OC_changed_item, "from", buf_text(&from), "items", buf_text(&items), NULL);
}

/* Where the wishes split into what goes and what comes: "X for Y", "Y instead of X". */
static bool split_at(const struct house *h, const struct clause *cl, size_t *ret, bool *turned)
{
    bool verb = false;

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
        if (IS(e, not) && i > 0) {
            *ret = i;
            *turned = true;
            return true;
        }
        verb |= e->kind == EL_ITEM || e->kind == EL_OFF || e->kind == EL_CAT || IS(e, it) ||
                IS(e, that) || IS(e, one) || IS(e, them) || IS(e, those);
        if (verb && (IS(e, for_) || IS(e, to) || IS(e, with) || IS(e, into) || IS(e, by))) {
            *ret = i;
            return true;
        }
    }
    return false;
}

void replace_with(struct ctx *c, const struct wishes *old, const struct wishes *new)
{
    int lines[LINES_MAX], n = 0;
    struct wish to, seek;

    if (new->count == 0) {
        say(c, OC_want_which, NULL);
        c->asked = true;
        return;
    }
    to = new->w[0];
    if (old->count == 0 &&
        (c->removed ||
         (c->fresh && !c->acted &&
          c->memo.last_act == ACT_REMOVE))) { /* "drop the gin, a lemonade instead" */
        for (size_t i = 0; i < new->count && !c->refused; i++)
            order_wish(c, &new->w[i], new->w[i].qty ? new->w[i].qty : 1);
        return;
    }
    if (old->count == 0) {
        n = line_last(c) >= 0;
        lines[0] = line_last(c);
    } else {
        seek = old->w[0];
        n = (int)lines_of(c, &seek, lines, LINES_MAX);
        if (n == 0 && seek.kind == WISH_ITEM && to.kind == WISH_ITEM) {
            /* "change the vodka to gin": perhaps the liquor of a cocktail */
            for (int i = 0; i < c->tab->line_count; i++) {
                struct wish w = {.mods = {(uint8_t)(128 + to.value)}, .mod_count = 1};
                uint8_t mods[WISH_MODS];
                size_t k = line_mods(c->h, &c->tab->lines[i], mods);
                bool has = k == 0;

                for (size_t a = 0; a < k; a++)
                    has |= mods[a] == 128 + seek.value;
                if (has && strcmp(c->h->items[to.value].category, "Spirits") == 0 &&
                    strcmp(c->h->items[line_item(c->h, &c->tab->lines[i])].category,
                           "Cocktails") == 0) {
                    change_mods(c, i, &w);
                    return;
                }
            }
        }
        if (n == 0) {
            not_there(c, &seek);
            c->memo.shown_count = 0;
            if (to.kind == WISH_ITEM)
                show_item(c, to.value);
            return;
        }
        if (seek.qty > 0 && !seek.weak && seek.qty < c->tab->lines[lines[n - 1]].quantity) {
            struct buf parts; /* "change one of the beers to a water" */

            say_buf(c, &parts);
            remove_line(c, lines[n - 1], seek.qty, &parts);
            order_wish(c, &to, to.qty && !to.weak ? to.qty : seek.qty);
            return;
        }
    }
    if (n == 0) {
        for (size_t i = 0; i < new->count; i++)
            order_wish(c, &new->w[i], new->w[i].qty ? new->w[i].qty : 1);
        return;
    }
    if (old->count > 1) { /* "swap the martini and the beer for two negronis" */
        struct buf parts;
        int done = 0;

        say_buf(c, &parts);
        for (size_t i = 0; i < old->count && !c->refused; i++)
            done += remove_wish(c, &old->w[i], &parts);
        tell_removed(c, &parts, done);
        for (size_t i = 0; i < new->count && !c->refused; i++)
            order_wish(c, &new->w[i], new->w[i].qty ? new->w[i].qty : 1);
        return;
    }
    if (n > 1 && !old->w[0].plural) {
        lines[0] = lines[n - 1];
        n = 1;
    }
    for (int i = n - 1; i >= 0 && !c->refused; i--)
        replace_line(c, lines[i], &to);
    for (size_t i = 1; i < new->count && !c->refused; i++)
        order_wish(c, &new->w[i], new->w[i].qty ? new->w[i].qty : 1);
}

void act_replace(struct ctx *c, struct clause *cl)
{
    struct wishes a = {.count = 0}, b = {.count = 0};
    size_t at;
    bool turned;

    c->did = true;
    if (!split_at(c->h, cl, &at, &turned)) {
        /* "a negroni instead", "not a martini a negroni": the last drink named is what comes */
        parse_wishes(c->h, cl->e, cl->n, &b);
        if (cl->intent == IN_REPLACE && b.count == 2 && b.w[0].the && !b.w[1].the) {
            a.w[0] = b.w[0];
            a.count = 1;
            b.w[0] = b.w[1];
            b.count = 1;
        }
        if (b.count == 1 && b.w[0].the && b.w[0].kind == WISH_ITEM &&
            cl->intent == IN_REPLACE && !cl->question) {
            int lines[LINES_MAX];

            if (lines_of(c, &b.w[0], lines, LINES_MAX)) { /* "switch the beer": to what? */
                touch_line(c, lines[0], 0);
                say(c, OC_want_which, NULL);
                c->asked = true;
                return;
            }
        }
        replace_with(c, &a, &b);
        return;
    }
    parse_wishes(c->h, cl->e, at, &a);
    parse_wishes(c->h, cl->e + at + 1, cl->n - at - 1, &b);
    if (!turned && b.count && b.w[0].kind == WISH_REF) { /* "change the waters to two" */
        act_quantity(c, cl);
        return;
    }
    if (turned && a.count == 0 && b.count == 2) { /* "instead of the beer a gin" */
        a.w[0] = b.w[0];
        a.count = 1;
        b.w[0] = b.w[1];
        b.count = 1;
        replace_with(c, &a, &b);
    } else if (turned) {
        replace_with(c, &b, &a);
    } else {
        replace_with(c, &a, &b);
    }
}
