/* Ordering: drinks, more of them, the same again, and answers to what was offered. */
#include "mind/house_int.h"

#include <string.h>

static const struct bar_item *nearest_other(const struct house *h, const char *like,
                                            const struct bar_item *not_this)
{
    const struct bar_item *best = NULL;
    int best_score = 0;

    for (size_t i = 0; i < h->item_count; i++) {
        const struct bar_item *it = &h->items[i];
        int score = 0, weight = 8;

        if (it == not_this)
            continue;
        for (const char *p = like; *p;) {
            size_t n = strcspn(p, " ");

            for (size_t t = 0; it->tags[t]; t++)
                if (strlen(it->tags[t]) == n && memcmp(it->tags[t], p, n) == 0)
                    score += weight;
            if (weight > 2)
                weight -= 2;
            p += n;
            p += strspn(p, " ");
        }
        if (score > best_score) {
            best_score = score;
            best = it;
        }
    }
    return best;
}

/* "That is not on the menu, but ...": the two nearest by what is in them. */
void house__off_menu_say(struct ctx *c, int off)
{
    const struct house *h = c->h;
    const struct off_menu *o = &house_off_menu[off];
    const struct bar_item *a = nearest_other(h, o->like, NULL), *b;
    struct buf list;

    if (!a) {
        house__say(c, OC_off_menu_bare, "what", o->name, NULL);
        return;
    }
    b = nearest_other(h, o->like, a);
    house__say_buf(c, &list);
    house__say_count(&list, h, (int)(a - h->items), NULL, 0, 1);
    house__shown_reset(c);
    house__show_item(c, (int)(a - h->items));
    if (b) {
        buf_str(&list, " or ");
        house__say_count(&list, h, (int)(b - h->items), NULL, 0, 1);
        house__show_item(c, (int)(b - h->items));
    }
    house__say(c, OC_off_menu, "what", o->name, "list", buf_text(&list), NULL);
    c->memo.pending = PEND_OFFER;
    c->asked = true;
}

void house__shown_reset(struct ctx *c)
{
    if (!c->showing)
        c->memo.shown_count = 0;
    c->showing = true;
}

void house__show_item(struct ctx *c, int item)
{
    struct memo *m = &c->memo;

    for (size_t i = 0; i < m->shown_count; i++)
        if (m->shown[i] == item)
            return;
    if (m->shown_count < MEMO_SHOWN)
        m->shown[m->shown_count++] = (uint8_t)item;
}

/* Add one drink and tell it. */
bool house__add(struct ctx *c, int item, const uint8_t *mods, size_t mod_count, int qty,
                bool in_round)
{
    struct wish all = {.mod_count = 0};
    uint8_t clean[WISH_MODS];
    size_t n = 0;
    struct reply r;

    /* of two that exclude each other the later one counts */
    for (size_t i = 0; i < mod_count; i++) {
        all.mods[0] = mods[i];
        all.mod_count = 1;
        n = house__mods_merge(c->h, item, clean, n, &all);
    }
    if (!house__tool_add(c, item, clean, n, qty, &r))
        return false;
    c->did = true;
    if (!r.ok) {
        house__say_error(c, &r, item, qty);
        c->memo.shown_count = 0; /* "then eight": of these */
        house__show_item(c, item);
        c->memo.pending = PEND_HOW_MANY;
        c->asked = true;
        return true;
    }
    if (!c->fresh && !c->acted && c->memo.last_act == ACT_PAY)
        c->memo.round_count = 0;
    for (int i = 0; i < c->tab->line_count; i++) {
        uint8_t have[WISH_MODS];
        size_t k = house__line_mods(c->h, &c->tab->lines[i], have), same = 0;

        for (size_t a = 0; a < k; a++)
            for (size_t b = 0; b < n; b++)
                same += have[a] == clean[b];
        if (house__line_item(c->h, &c->tab->lines[i]) == item && k == n && same == n)
            house__touch_line(c, i, qty);
    }
    house__say_added(c, item, clean, n, qty);
    c->memo.shown_count = 0;
    if (in_round)
        house__remember_round(c, item, clean, n, qty);
    c->memo.last_act = ACT_ADD;
    c->memo.pending = PEND_MORE;
    return true;
}

static void ask_which(struct ctx *c, int cat)
{
    const struct house *h = c->h;
    struct buf list;
    size_t n = 0, at = 0;

    for (size_t i = 0; i < h->item_count; i++)
        n += strcmp(h->items[i].category, h->cats[cat]) == 0;
    house__say_buf(c, &list);
    house__shown_reset(c);
    for (size_t i = 0; i < h->item_count; i++)
        if (strcmp(h->items[i].category, h->cats[cat]) == 0) {
            house__say_join(&list, at++, n);
            buf_str(&list, h->items[i].name);
            house__show_item(c, (int)i);
        }
    house__say(c, OC_which_of, "what", h->cats[cat], "list", buf_text(&list), NULL);
    c->memo.pending = PEND_OFFER;
    c->asked = true;
}

bool house__order_wish(struct ctx *c, const struct wish *w, int qty)
{
    if (w->kind == WISH_OFF) {
        house__off_menu_say(c, w->value);
        c->did = true;
        return true;
    }
    if (w->kind == WISH_CAT) {
        ask_which(c, w->value);
        c->did = true;
        return true;
    }
    if (qty < 1 && w->qty == 0 && !w->weak && qty == 0) {
        house__say(c, OC_quantity_zero, NULL);
        c->did = true;
        return true;
    }
    return house__add(c, w->value, w->mods, w->mod_count, qty, true);
}

/* How many: as said, or one each when people were counted and no number was given. */
static int quantity_of(struct ctx *c, const struct wish *w)
{
    bool bare = w->qty == 0 || (w->weak && (w->each || w->plural));

    if (bare && c->group > 1 && (w->plural || w->each || w->qty == 0))
        return c->group;
    if (w->qty)
        return w->qty;
    return 1;
}

/* "Tequila for everyone!" */
static void ask_how_many(struct ctx *c, int item)
{
    c->memo.shown_count = 0;
    house__show_item(c, item);
    house__say(c, OC_how_many, "item", c->h->items[item].name, NULL);
    c->memo.pending = PEND_HOW_MANY;
    c->asked = true;
}

/* The drink that was ordered just before, now with "the" and wanted in another way. */
static bool same_but(struct ctx *c, const struct clause *cl, const struct wish *w)
{
    const struct house *h = c->h;
    int lines[BAR_LINES_MAX];
    size_t at = IS(&cl->e[0], and) && cl->n > 1 ? 1 : 0;

    /* "and the gin with lime", with no verb, and there is a gin */
    if (w->kind == WISH_ITEM && w->the && w->mod_count && !w->qty && !c->acted && c->fresh &&
        IS(&cl->e[at], the) &&
        house__lines_of(c, &(struct wish){.kind = WISH_ITEM, .value = w->value}, lines,
                        BAR_LINES_MAX) == 1)
        return true;
    return w->kind == WISH_ITEM && w->the && w->mod_count && !w->qty && !c->acted && c->fresh &&
           c->memo.last_act == ACT_ADD && c->memo.touched_count == 1 &&
           c->memo.touched[0].item == w->value + 1;
}

static bool zero(const struct wish *w, const struct clause *cl)
{
    for (size_t i = 0; i < cl->n; i++)
        if (cl->e[i].kind == EL_NUM && cl->e[i].value == 0)
            return w->qty == 0 && w->kind == WISH_ITEM;
    return false;
}

/* "I'll take it", "two, please": what was shown last, or what was touched last. */
static bool order_ref(struct ctx *c, struct clause *cl, const struct wish *w)
{
    struct memo *m = &c->memo;
    int qty = w->qty ? w->qty : 1;
    int line;

    if (w->ref == REF_ONE && w->weak && cl + 1 < c->clauses + c->clause_count)
        return true; /* "I'll have a ... hmm ... a martini" */
    for (const struct clause *k = c->clauses; k < cl && !c->acted; k++)
        for (size_t i = 0; i < k->n; i++)
            if (k->e[i].kind == EL_ITEM) { /* "is the IPA good? I'll take one" */
                m->shown_count = 0;
                house__show_item(c, k->e[i].value);
            }
    if (c->acted && m->last_act == ACT_ADD && w->ref == REF_ONE && w->qty && !w->weak &&
        !w->more && !w->mod_count) {
        house__act_quantity(c, cl); /* "Brandy then. Two." */
        return true;
    }
    if (m->shown_count && !c->acted) {
        size_t first = 0, last = m->shown_count;

        if (w->ref == REF_ORDINAL) {
            if (w->value > m->shown_count)
                return house__say(c, OC_of_what, NULL), true;
            first = (size_t)w->value - 1;
            last = first + 1;
        } else if (w->ref == REF_LAST || w->ref == REF_OTHER) {
            first = last - 1;
        } else if (w->ref != REF_ALL && !(w->plural && m->shown_count == 2)) {
            last = 1;
        }
        for (size_t i = first; i < last; i++)
            if (!house__add(c, m->shown[i], w->mods, w->mod_count, qty, true))
                return false;
        m->shown_count = 0;
        return true;
    }
    line = house__line_last(c);
    if (line >= 0 && w->qty && !w->weak && !w->more && c->fresh && !c->acted &&
        (c->memo.last_act == ACT_ADD || c->memo.last_act == ACT_CHANGE)) {
        house__act_quantity(c, cl); /* "two of them", "two" */
        return true;
    }
    if (line < 0 || (w->ref == REF_IT && !w->more)) {
        house__say(c, OC_want_which, NULL);
        c->asked = true;
        return true;
    }
    if (w->mod_count && w->qty == 0)
        return true;
    {
        uint8_t mods[WISH_MODS];
        size_t n = house__line_mods(c->h, &c->tab->lines[line], mods);
        struct wish copy = *w;

        n = house__mods_merge(c->h, house__line_item(c->h, &c->tab->lines[line]), mods, n,
                              &copy);
        return house__add(c, house__line_item(c->h, &c->tab->lines[line]), mods, n, qty, true);
    }
}

/*
 * "The rum, put some ice in it": named to be spoken of. "And one of the vodkas": goes on with
 * what was taken off before.
 */
static bool speaks_of_line(struct ctx *c, struct clause *cl, const struct wishes *ws)
{
    const struct clause *next = cl + 1;
    const struct wish *w = &ws->w[0];
    int lines[BAR_LINES_MAX];
    size_t n;

    if (ws->count != 1 || w->kind != WISH_ITEM || w->more || !(w->the || w->part))
        return false;
    n = house__lines_of(c, w, lines, BAR_LINES_MAX);
    if (n == 0)
        return false;
    if (c->fresh && !c->acted && c->memo.last_act == ACT_REMOVE) {
        house__act_remove(c, cl);
        return true;
    }
    if (next == c->clauses + c->clause_count || w->part || cl->n > 3 ||
        (next->intent != IN_MODIFY && next->intent != IN_MAKE))
        return false;
    house__touch_line(c, lines[n - 1], 0);
    return true;
}

void house__act_order(struct ctx *c, struct clause *cl)
{
    struct wishes ws;
    bool any = false;

    house__parse_wishes(c->h, cl->e, cl->n, &ws);
    if (ws.count == 1 && ws.w[0].kind == WISH_REF && ws.w[0].ref == REF_NONE &&
        ws.w[0].mod_count && !ws.w[0].qty && c->tab->line_count) {
        house__act_modify(c, cl); /* "I'll go with neat" */
        return;
    }
    if (ws.too_many) {
        house__say(c, OC_too_many, NULL);
        c->did = true;
    }
    if (speaks_of_line(c, cl, &ws))
        return;
    for (size_t i = 0; i < ws.count && !c->refused; i++)
        any |= ws.w[i].kind != WISH_REF;
    for (size_t i = 0; i < ws.count && !c->refused; i++) {
        struct wish *w = &ws.w[i];

        if (w->kind == WISH_REF) {
            if (!any)
                order_ref(c, cl, w);
            continue;
        }
        if (w->kind == WISH_ITEM && w->each && !c->group && (w->qty == 0 || w->weak)) {
            ask_how_many(c, w->value);
            continue;
        }
        if (same_but(c, cl, w)) { /* "can I have the daiquiri with rum after all" */
            int lines[BAR_LINES_MAX];

            house__lines_of(c, &(struct wish){.kind = WISH_ITEM, .value = w->value}, lines,
                            BAR_LINES_MAX);
            house__change_mods(c, lines[0], w);
            continue;
        }
        house__order_wish(c, w, zero(w, cl) ? 0 : quantity_of(c, w));
    }
    if (ws.count == 0) {
        house__say(c, OC_want_which, NULL);
        c->asked = true;
    }
    c->did = true;
}

/* "two more", "another": of what was touched, or shown, last. */
void house__act_more(struct ctx *c, struct clause *cl)
{
    struct wishes ws;
    struct wish w = {.kind = WISH_REF, .ref = REF_ONE, .qty = 1, .more = true};
    int line;
    uint8_t mods[WISH_MODS];
    size_t n;

    house__parse_wishes(c->h, cl->e, cl->n, &ws);
    for (size_t i = 0; i < ws.count; i++) {
        if (ws.w[i].kind != WISH_REF) {
            house__act_order(c, cl);
            return;
        }
        if (ws.w[i].qty)
            w.qty = ws.w[i].qty;
    }
    c->did = true;
    line = house__line_last(c);
    if (c->mention_count && !c->acted) { /* "she spilled her lemonade, can she have another?" */
        struct wish named = {.kind = WISH_ITEM, .value = c->mention[0]};
        int lines[BAR_LINES_MAX];

        if (house__lines_of(c, &named, lines, BAR_LINES_MAX))
            line = lines[0];
    }
    if (line < 0 && c->memo.round_count) { /* after paying */
        struct touch t = c->memo.round[c->memo.round_count - 1];

        c->memo.round_count = 0;
        house__add(c, t.item - 1, t.mods, t.mod_count, w.qty, true);
        return;
    }
    if (line < 0) {
        house__say(c, OC_of_what, NULL);
        c->asked = true;
        return;
    }
    n = house__line_mods(c->h, &c->tab->lines[line], mods);
    house__add(c, house__line_item(c->h, &c->tab->lines[line]), mods, n, w.qty, true);
}
