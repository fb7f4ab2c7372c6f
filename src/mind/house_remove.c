/* Taking off: one line, some of a line, everything, or what was just added. */
#include "mind/house_int.h"

#include <string.h>

#define LINES_MAX BAR_LINES_MAX

void house__count_line(struct ctx *c, struct buf *out, int line, int qty)
{
    const struct bar_line *l = &c->tab->lines[line];
    uint8_t mods[WISH_MODS];
    size_t n = house__line_mods(c->h, l, mods);
    int item = house__line_item(c->h, l);

    if (item >= 0)
        house__say_count(out, c->h, item, mods, n, qty);
    else
        buf_str(out, l->name);
}

/* Tell which lines it could be, and wait for the answer. */
static void which_line(struct ctx *c, const int *lines, size_t n, enum pending p)
{
    struct buf list;

    house__say_buf(c, &list);
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_str(&list, i + 1 < n ? ", " : " or ");
        house__count_line(c, &list, lines[i], c->tab->lines[lines[i]].quantity);
    }
    c->memo.touched_count = 0;
    c->acted = true;
    for (size_t i = 0; i < n; i++)
        house__touch_line(c, lines[i], 0);
    house__say(c, OC_which_line, "list", buf_text(&list), NULL);
    c->memo.pending = (uint8_t)p;
    c->asked = true;
}

void house__not_there(struct ctx *c, const struct wish *w)
{
    const char *what = "that";

    if (w->kind == WISH_ITEM)
        what = c->h->items[w->value].name;
    else if (w->kind == WISH_OFF)
        what = house_off_menu[w->value].name;
    else if (w->kind == WISH_CAT)
        what = c->h->cats[w->value];
    house__say(c, OC_not_on_order, "what", what, NULL);
}

static struct touch touch_of(struct ctx *c, int line, int qty)
{
    struct touch t = {.qty = (uint8_t)(qty > 255 ? 255 : qty)};
    uint8_t mods[WISH_MODS];
    size_t n = house__line_mods(c->h, &c->tab->lines[line], mods);

    t.item = (uint8_t)(1 + house__line_item(c->h, &c->tab->lines[line]));
    t.mod_count = (uint8_t)(n > 4 ? 4 : n);
    memcpy(t.mods, mods, t.mod_count);
    return t;
}

/* For "put it back". */
static void keep_gone(struct ctx *c, const struct touch *t)
{
    struct memo *m = &c->memo;

    if (t->item && m->gone_count < MEMO_GONE)
        m->gone[m->gone_count++] = *t;
}

void house__act_put_back(struct ctx *c)
{
    struct memo *m = &c->memo;
    struct touch list[MEMO_GONE];
    size_t n = m->gone_count;

    c->did = true;
    if (n == 0) {
        house__say(c, OC_of_what, NULL);
        c->asked = true;
        return;
    }
    memcpy(list, m->gone, sizeof(list));
    m->gone_count = 0;
    for (size_t i = 0; i < n && !c->refused; i++) {
        struct wish w = {.kind = WISH_ITEM, .value = list[i].item - 1, .qty = list[i].qty};

        w.mod_count = list[i].mod_count;
        memcpy(w.mods, list[i].mods, w.mod_count);
        house__order_wish(c, &w, w.qty);
    }
}

bool house__remove_line(struct ctx *c, int line, int qty, struct buf *out)
{
    int have = c->tab->lines[line].quantity;
    int n = qty > 0 && qty < have ? qty : have;
    struct reply r;
    size_t mark = out->len;
    struct touch was = touch_of(c, line, n);

    if (mark)
        buf_char(out, '\n');
    house__count_line(c, out, line, n);
    if (!house__tool_remove(c, line, n, &r))
        return false;
    if (!r.ok) {
        out->len = mark;
        house__say_error(c, &r, -1, 0);
    }
    if (r.ok) {
        if (!c->removed)
            c->memo.gone_count = 0;
        keep_gone(c, &was);
        house__forget_round(c, was.item - 1, n);
    }
    c->removed |= r.ok;
    return r.ok;
}

void house__tell_removed(struct ctx *c, struct buf *parts, int n)
{
    struct buf items;

    if (!n)
        return;
    house__say_parts(c, parts, n, &items);
    house__say(c, c->tab->line_count ? OC_removed : OC_removed_last, "items", buf_text(&items),
               NULL);
}

/* One wish of a removal. Returns how many lines it took off. */
int house__remove_wish(struct ctx *c, const struct wish *w, struct buf *parts)
{
    struct wish all = *w;
    int lines[LINES_MAX], n, done = 0, qty = w->qty;

    if (w->kind == WISH_ITEM && w->generic >= 0 &&
        ((w->all && w->plural) || !house__lines_of(c, w, lines, LINES_MAX))) {
        all.kind = WISH_CAT; /* "all the beers": whatever beers there are */
        all.value = w->generic;
        if (w->plural || !w->qty)
            all.plural = true;
        w = &all;
    }
    n = (int)house__lines_of(c, w, lines, LINES_MAX);

    if (n == 0) {
        house__not_there(c, w);
        return 0;
    }
    if (w->kind == WISH_REF && w->ref == REF_ONE)
        qty = qty ? qty : 1;
    if (w->the && w->weak)
        qty = 0;
    if (w->half && n == 1 && c->tab->lines[lines[0]].quantity > 1)
        qty = c->tab->lines[lines[0]].quantity / 2;
    /* several lines: those with just these modifiers; all, when that was said; else ask */
    if (n > 1 && !w->plural && w->kind == WISH_ITEM && !w->mod_count && qty == 0) {
        which_line(c, lines, (size_t)n, PEND_REMOVE);
        return 0;
    }
    for (int i = n - 1; i >= 0 && !c->refused; i--) {
        int have = c->tab->lines[lines[i]].quantity;

        if (!house__remove_line(c, lines[i], qty, parts))
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

void house__act_remove(struct ctx *c, struct clause *cl)
{
    struct wishes ws;
    struct buf parts;
    int n = 0;
    bool mods_only = true;

    house__parse_wishes(c->h, cl->e, cl->n, &ws);
    house__say_buf(c, &parts);
    c->did = true;
    if (c->tab->line_count == 0) {
        house__say(c, OC_nothing_to_clear, NULL);
        return;
    }
    for (size_t i = 0; i < ws.count; i++)
        mods_only &= ws.w[i].kind == WISH_REF && ws.w[i].mod_count &&
                     (ws.w[i].ref == REF_NONE || ws.w[i].ref == REF_IT);
    for (size_t i = 0; i < cl->n && cl->intent == IN_FEWER && ws.count; i++)
        if (cl->e[i].kind == EL_NUM) /* "reduce the sodas by one" */
            ws.w[0].qty = cl->e[i].value;
    for (size_t i = 0; i < cl->n; i++)
        for (size_t k = 0; k < ws.count && cl->e[i].word == c->h->known->half; k++)
            ws.w[k].half = true; /* "cut the beers in half" */
    if (ws.count && mods_only) { /* "lose the olives" */
        house__act_modify(c, cl);
        return;
    }
    if (ws.count == 0)
        ws.w[ws.count++] = (struct wish){.kind = WISH_REF, .ref = REF_IT};
    for (size_t i = 0; i < ws.count && !c->refused; i++)
        n += house__remove_wish(c, &ws.w[i], &parts);
    house__tell_removed(c, &parts, n);
    if (n) {
        c->memo.last_act = ACT_REMOVE;
        c->memo.pending = PEND_MORE;
        house__touch_reset(c);
    }
}

/* The answer to "which of them?" */
void house__act_remove_wish(struct ctx *c, const struct wish *w)
{
    struct buf parts;
    int n;

    house__say_buf(c, &parts);
    c->did = true;
    n = house__remove_wish(c, w, &parts);
    house__tell_removed(c, &parts, n);
    if (n) {
        c->memo.last_act = ACT_REMOVE;
        c->memo.pending = PEND_MORE;
        house__touch_reset(c);
    }
}

void house__act_clear(struct ctx *c, struct clause *cl)
{
    struct reply r;

    (void)cl;
    c->did = true;
    if (c->tab->line_count == 0) {
        house__say(c, OC_nothing_to_clear, NULL);
        return;
    }
    if (!house__tool_plain(c, "clear_order", &r))
        return;
    if (!r.ok) {
        house__say_error(c, &r, -1, 0);
        return;
    }
    house__touch_reset(c);
    c->memo.touched_count = 0;
    c->memo.round_count = 0;
    c->memo.last_act = ACT_REMOVE;
    c->memo.pending = PEND_MORE;
    c->added_parts = 0;
    buf_clear(&c->added);
    house__say(c, OC_cleared, NULL);
}

/* Take back what the last turn (or this one) added. */
void house__act_undo(struct ctx *c, struct clause *cl)
{
    struct touch list[MEMO_TOUCHED];
    size_t n = c->memo.touched_count;
    struct buf parts;
    int done = 0;

    (void)cl;
    c->did = true;
    if (c->fresh && !c->acted && c->memo.last_act == ACT_REMOVE && c->memo.gone_count) {
        house__act_put_back(c);
        return;
    }
    if (!(c->fresh || c->acted) || c->memo.last_act != ACT_ADD || n == 0 ||
        (!c->acted && c->memo.pending == PEND_OFFER)) {
        house__say(c, OC_let_it_be, NULL);
        c->memo.pending = PEND_NONE;
        return;
    }
    memcpy(list, c->memo.touched, n * sizeof(list[0]));
    house__say_buf(c, &parts);
    for (size_t i = 0; i < n && !c->refused; i++) {
        int line = house__line_of_touch(c, &list[i]);

        if (line >= 0 && list[i].qty)
            done += house__remove_line(c, line, list[i].qty, &parts);
    }
    if (!done) {
        house__say(c, OC_let_it_be, NULL);
        return;
    }
    house__tell_removed(c, &parts, done);
    c->memo.touched_count = 0;
    c->memo.last_act = ACT_REMOVE;
    c->memo.pending = PEND_MORE;
}
