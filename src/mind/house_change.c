/* Changing what is there: taking off, other quantities, other drinks, other modifiers. */
#include "mind/house_int.h"

#include <string.h>

#define LINES_MAX BAR_LINES_MAX

static void count_line(struct ctx *c, struct buf *out, int line, int qty)
{
    const struct bar_line *l = &c->tab->lines[line];
    uint8_t mods[WISH_MODS];
    size_t n = line_mods(c->h, l, mods);
    int item = line_item(c->h, l);

    if (item >= 0)
        say_count(out, c->h, item, mods, n, qty);
    else
        buf_str(out, l->name);
}

/* Tell which lines it could be, and wait for the answer. */
static void which_line(struct ctx *c, const int *lines, size_t n, enum pending p)
{
    struct buf list;

    say_buf(c, &list);
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_str(&list, i + 1 < n ? ", " : " or ");
        count_line(c, &list, lines[i], c->tab->lines[lines[i]].quantity);
    }
    c->memo.touched_count = 0;
    c->acted = true;
    for (size_t i = 0; i < n; i++)
        touch_line(c, lines[i], 0);
    say(c, OC_which_line, "list", buf_text(&list), NULL);
    c->memo.pending = (uint8_t)p;
    c->asked = true;
}

static void not_there(struct ctx *c, const struct wish *w)
{
    const char *what = "that";

    if (w->kind == WISH_ITEM)
        what = c->h->items[w->value].name;
    else if (w->kind == WISH_OFF)
        what = house_off_menu[w->value].name;
    else if (w->kind == WISH_CAT)
        what = c->h->cats[w->value];
    say(c, OC_not_on_order, "what", what, NULL);
}

static bool remove_line(struct ctx *c, int line, int qty, struct buf *out)
{
    int have = c->tab->lines[line].quantity;
    int n = qty > 0 && qty < have ? qty : have;
    struct reply r;
    size_t mark = out->len;

    if (mark)
        buf_char(out, '\n');
    count_line(c, out, line, n);
    if (!tool_remove(c, line, n, &r))
        return false;
    if (!r.ok) {
        out->len = mark;
        say_error(c, &r, -1, 0);
    }
    c->removed |= r.ok;
    return r.ok;
}

static void tell_removed(struct ctx *c, struct buf *parts, int n)
{
    struct buf items;
    const char *p = buf_text(parts);

    if (!n)
        return;
    say_buf(c, &items);
    for (int i = 0; i < n; i++) {
        size_t len = strcspn(p, "\n");

        say_join(&items, (size_t)i, (size_t)n);
        buf_add(&items, p, len);
        p += len + (p[len] != 0);
    }
    say(c, c->tab->line_count ? OC_removed : OC_removed_last, "items", buf_text(&items), NULL);
}

/* One wish of a removal. Returns how many lines it took off. */
static int remove_wish(struct ctx *c, const struct wish *w, struct buf *parts)
{
    struct wish all = *w;
    int lines[LINES_MAX], n, done = 0, qty = w->qty;

    if (w->kind == WISH_ITEM && w->generic >= 0 &&
        ((w->all && w->plural) || !lines_of(c, w, lines, LINES_MAX))) {
        all.kind = WISH_CAT; /* "all the beers": whatever beers there are */
        all.value = w->generic;
        if (w->plural || !w->qty)
            all.plural = true;
        w = &all;
    }
    n = (int)lines_of(c, w, lines, LINES_MAX);

    if (n == 0) {
        not_there(c, w);
        return 0;
    }
    if (w->kind == WISH_REF && w->ref == REF_ONE)
        qty = qty ? qty : 1;
    if (w->the && w->weak)
        qty = 0;
    /* several lines: those with just these modifiers; all, when that was said; else ask */
    if (n > 1 && !w->plural && w->kind == WISH_ITEM && !w->mod_count && qty == 0) {
        which_line(c, lines, (size_t)n, PEND_REMOVE);
        return 0;
    }
    for (int i = n - 1; i >= 0 && !c->refused; i--) {
        int have = c->tab->lines[lines[i]].quantity;

        if (!remove_line(c, lines[i], qty, parts))
            continue;
        done++;
        if (qty > 0) {
            qty -= have < qty ? have : qty;
            if (qty == 0)
                break;
        }
    }
    return done;
}

void act_remove(struct ctx *c, struct clause *cl)
{
    struct wishes ws;
    struct buf parts;
    int n = 0;
    bool mods_only = true;

    parse_wishes(c->h, cl->e, cl->n, &ws);
    say_buf(c, &parts);
    c->did = true;
    if (c->tab->line_count == 0) {
        say(c, OC_nothing_to_clear, NULL);
        return;
    }
    for (size_t i = 0; i < ws.count; i++)
        mods_only &= ws.w[i].kind == WISH_REF && ws.w[i].mod_count && ws.w[i].ref == REF_NONE;
    if (ws.count && mods_only) { /* "lose the olives" */
        act_modify(c, cl);
        return;
    }
    if (ws.count == 0)
        ws.w[ws.count++] = (struct wish){.kind = WISH_REF, .ref = REF_IT};
    for (size_t i = 0; i < ws.count && !c->refused; i++)
        n += remove_wish(c, &ws.w[i], &parts);
    tell_removed(c, &parts, n);
    if (n) {
        c->memo.last_act = ACT_REMOVE;
        c->memo.pending = PEND_MORE;
        touch_reset(c);
    }
}

/* The answer to "which of them?" */
void act_remove_wish(struct ctx *c, const struct wish *w)
{
    struct buf parts;
    int n;

    say_buf(c, &parts);
    c->did = true;
    n = remove_wish(c, w, &parts);
    tell_removed(c, &parts, n);
    if (n) {
        c->memo.last_act = ACT_REMOVE;
        c->memo.pending = PEND_MORE;
        touch_reset(c);
    }
}

void act_clear(struct ctx *c, struct clause *cl)
{
    struct reply r;

    (void)cl;
    c->did = true;
    if (c->tab->line_count == 0) {
        say(c, OC_nothing_to_clear, NULL);
        return;
    }
    if (!tool_plain(c, "clear_order", &r))
        return;
    if (!r.ok) {
        say_error(c, &r, -1, 0);
        return;
    }
    touch_reset(c);
    c->memo.touched_count = 0;
    c->memo.round_count = 0;
    c->memo.last_act = ACT_REMOVE;
    c->memo.pending = PEND_MORE;
    c->added_parts = 0;
    buf_clear(&c->added);
    say(c, OC_cleared, NULL);
}

/* Take back what the last turn (or this one) added. */
void act_undo(struct ctx *c, struct clause *cl)
{
    struct touch list[MEMO_TOUCHED];
    size_t n = c->memo.touched_count;
    struct buf parts;
    int done = 0;

    (void)cl;
    c->did = true;
    if (!(c->fresh || c->acted) || c->memo.last_act != ACT_ADD || n == 0) {
        say(c, OC_let_it_be, NULL);
        c->memo.pending = PEND_NONE;
        return;
    }
    memcpy(list, c->memo.touched, n * sizeof(list[0]));
    say_buf(c, &parts);
    for (size_t i = 0; i < n && !c->refused; i++) {
        int line = line_of_touch(c, &list[i]);

        if (line >= 0 && list[i].qty)
            done += remove_line(c, line, list[i].qty, &parts);
    }
    if (!done) {
        say(c, OC_let_it_be, NULL);
        return;
    }
    tell_removed(c, &parts, done);
    c->memo.touched_count = 0;
    c->memo.last_act = ACT_REMOVE;
    c->memo.pending = PEND_MORE;
}

/* ---- quantities ---- */

static void tell_line(struct ctx *c, enum occasion o, int line)
{
    struct buf items;

    say_buf(c, &items);
    count_line(c, &items, line, c->tab->lines[line].quantity);
    say(c, o, "items", buf_text(&items), NULL);
}

static void set_quantity(struct ctx *c, int line, int qty)
{
    struct reply r;
    int item = line_item(c->h, &c->tab->lines[line]), had = c->tab->lines[line].quantity;

    if (qty == 0) {
        struct buf parts;

        say_buf(c, &parts);
        if (remove_line(c, line, 0, &parts))
            tell_removed(c, &parts, 1);
        c->memo.last_act = ACT_REMOVE;
        return;
    }
    if (qty == had) {
        touch_line(c, line, 0);
        tell_line(c, OC_same_already, line);
        return;
    }
    if (!tool_quantity(c, line, qty, &r))
        return;
    if (!r.ok) {
        say_error(c, &r, item, qty > had ? qty - had : qty);
        return;
    }
    /* what was added and not yet told is told with its new number */
    if (c->added_parts == 1 && c->memo.last_act == ACT_ADD && c->acted) {
        c->added_parts = 0;
        buf_clear(&c->added);
    }
    touch_line(c, line, qty > had ? qty - had : 0);
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

/* "one neat, one on the rocks": the other of the same drink, which has no wish of its own yet. */
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

static void change_mods(struct ctx *c, int line, const struct wish *w)
{
    uint8_t mods[WISH_MODS], was[WISH_MODS];
    size_t had, n;
    int qty, item;
    struct reply r;

    line = plain_line(c, line, w);
    had = line_mods(c->h, &c->tab->lines[line], mods);
    qty = c->tab->lines[line].quantity;
    item = line_item(c->h, &c->tab->lines[line]);
    memcpy(was, mods, sizeof(was));
    n = mods_merge(c->h, mods, had, w);
    if (n == had && memcmp(was, mods, n) == 0) {
        tell_line(c, OC_same_already, line);
        return;
    }
    if (w->qty > 0 && !w->weak && w->qty < qty) { /* "make one of them dirty" */
        if (!tool_quantity(c, line, qty - w->qty, &r) || !r.ok ||
            !tool_add(c, item, mods, n, w->qty, &r) || !r.ok)
            return;
        line = c->tab->line_count - 1;
    } else {
        if (!tool_modifiers(c, line, mods, n, &r))
            return;
        if (!r.ok) {
            say_error(c, &r, -1, 0);
            return;
        }
        for (int i = c->tab->line_count - 1; i >= 0; i--) {
            uint8_t now[WISH_MODS];

            if (line_item(c->h, &c->tab->lines[i]) == item &&
                line_mods(c->h, &c->tab->lines[i], now) == n && memcmp(now, mods, n) == 0) {
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
        touch_line(c, line, keep.qty);
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

void act_modify(struct ctx *c, struct clause *cl)
{
    struct wishes ws;

    parse_wishes(c->h, cl->e, cl->n, &ws);
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
        n = (int)lines_of(c, &seek, lines, LINES_MAX);
        if (n == 0) {
            if (c->tab->line_count == 0)
                say(c, OC_want_which, NULL);
            else
                not_there(c, w);
            continue;
        }
        if (!w->mod_count && !w->off_count)
            continue;
        if (n > 1 && w->kind == WISH_ITEM && !w->plural && !w->qty) {
            lines[0] = lines[n - 1]; /* the newest */
            n = 1;
        }
        for (int k = n - 1; k >= 0 && !c->refused; k--)
            change_mods(c, lines[k], w);
    }
}

/* ---- another drink instead ---- */

static void replace_line(struct ctx *c, int line, const struct wish *to)
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
        if (IS(e, not ) && i > 0) {
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

static void replace_with(struct ctx *c, const struct wishes *old, const struct wishes *new)
{
    int lines[LINES_MAX], n = 0;
    struct wish to, seek;

    if (new->count == 0) {
        say(c, OC_want_which, NULL);
        c->asked = true;
        return;
    }
    to = new->w[0];
    if (old->count == 0 && c->removed) { /* "drop the gin, a lemonade instead" */
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
    int lines[LINES_MAX], n = (int)lines_of(c, what, lines, LINES_MAX), line = line_last(c);
    bool last_is_it = line >= 0 && line_item(c->h, &c->tab->lines[line]) == what->value;
    bool recent = c->fresh || c->acted;

    if (n > 0 && times > 1)
        set_quantity(c, lines[n - 1], c->tab->lines[lines[n - 1]].quantity * times);
    else if (n > 0 && want &&
             (what->the || (was_touched(c, what->value) && !(what->weak && !last_is_it))))
        set_quantity(c, lines[n - 1], want);
    else if (line >= 0 && recent && !last_is_it && (!what->the || cl->intent == IN_MEANT))
        replace_line(c, line, what);
    else if (n > 0 && want && !what->weak)
        set_quantity(c, lines[n - 1], want);
    else if (n > 0 && (what->the || last_is_it))
        tell_line(c, OC_same_already, lines[n - 1]);
    else if (what->the)
        not_there(c, what);
    else
        order_wish(c, what, want ? want : 1);
}

void act_quantity(struct ctx *c, struct clause *cl)
{
    struct wishes ws;
    struct wish *w, *what = NULL;
    int lines[LINES_MAX], n, line = line_last(c);
    bool twice = false, thrice = false;

    c->did = true;
    parse_wishes(c->h, cl->e, cl->n, &ws);
    /* "double that", but "make it a double" */
    twice = cl->e[0].word == c->h->known->double_;
    thrice = cl->e[0].word == c->h->known->triple;
    /* a drink that is named is what it shall be ("make it a gin"), or what is meant ("make the
     * martinis three", "the beers to four") */
    w = ws.count ? &ws.w[0] : NULL;
    for (size_t i = 0; i < ws.count && !what; i++)
        if (ws.w[i].kind != WISH_REF)
            what = &ws.w[i];
    if (what && what->kind == WISH_ITEM && (w == what || w->kind == WISH_REF)) {
        int want = what->qty;

        n = (int)lines_of(c, what, lines, LINES_MAX);
        for (size_t i = 0; i < ws.count; i++)
            if (ws.w[i].kind == WISH_REF && ws.w[i].qty && !want)
                want = ws.w[i].qty;
        for (size_t i = 0; i < cl->n && !want; i++)
            if (cl->e[i].kind == EL_NUM && !cl->e[i].weak)
                want = cl->e[i].value;
        if (n > 0 && what->mod_count && !(want && !what->weak)) {
            struct clause copy = *cl;

            copy.intent = IN_MODIFY;
            act_modify(c, &copy);
            return;
        }
        set_or_replace(c, cl, what, want, twice ? 2 : thrice ? 3 : 1);
        for (size_t i = 0; i < ws.count && !c->refused; i++)
            if (&ws.w[i] > what && ws.w[i].kind != WISH_REF)
                order_wish(c, &ws.w[i], ws.w[i].qty ? ws.w[i].qty : 1);
        return;
    }
    if (what) { /* not on the menu, or a category */
        order_wish(c, what, 1);
        return;
    }
    if (line < 0) {
        say(c, OC_of_what, NULL);
        c->asked = true;
        return;
    }
    if (w && (w->mod_count || w->off_count) && !twice && !thrice) {
        struct clause copy = *cl;

        copy.intent = IN_MODIFY;
        act_modify(c, &copy);
        return;
    }
    if (w && w->ref == REF_ORDINAL && lines_of(c, w, lines, LINES_MAX))
        line = lines[0];
    for (size_t i = 0; i < cl->n; i++)
        if (cl->e[i].kind == EL_NUM) {
            set_quantity(c, line, cl->e[i].value);
            return;
        }
    if (twice || thrice) {
        set_quantity(c, line, c->tab->lines[line].quantity * (thrice ? 3 : 2));
        return;
    }
    say(c, OC_unknown, NULL);
}
