/* Tools that work on the order. */
#include "bar/tool_int.h"

#include "base/buf.h"
#include "base/strs.h"

#include <stdio.h>
#include <string.h>

#define MINUTES_MIN 2
#define MINUTES_MAX 8

static void refuse_outcome(struct bar__call *c, enum bar_outcome o, const char *what,
                           int64_t cents)
{
    if (o == BAR_INSUFFICIENT_FUNDS)
        bar__refuse_funds(c, what, cents);
    else if (o == BAR_INVALID_ARGUMENT)
        bar__refuse_text(c, o, "The modifiers of one drink have at most %d characters.",
                         BAR_MODIFIERS_MAX - 1);
    else
        bar__refuse(c, o, NULL);
}

/* The amount that a quantity argument means. */
static int quantity_of(const struct bar__arg *arg, int otherwise)
{
    return arg->given ? (int)arg->number : otherwise;
}

/* What both tools that add do. False when refused. */
static bool add(struct bar__call *c, struct bar_line *ret)
{
    const char *name = bar__arg(c, "item_name")->text;
    const struct bar_item *item = bar_menu_find(c->g->menu, name);
    int quantity = quantity_of(bar__arg(c, "quantity"), 1);
    enum bar_outcome o;

    *ret = (struct bar_line){.quantity = quantity};
    if (!item) {
        bar__refuse_item(c, name);
        return false;
    }
    str_copy(ret->name, sizeof(ret->name), item->name);
    ret->unit_cents = item->price_cents;
    o = bar__modifiers(c->g->menu, bar__arg(c, "modifiers"), ret->modifiers);
    if (o == BAR_OK)
        o = bar_add(c->g->tab, c->g->region, item, ret->modifiers, quantity);
    if (o != BAR_OK) {
        refuse_outcome(c, o, "item costs", item->price_cents * quantity);
        return false;
    }
    bar__put_line(c, ret, quantity);
    return true;
}

void bar__add_to_order(struct bar__call *c)
{
    struct bar_line line;
    char balance[24];

    if (!add(c, &line))
        return;
    bar_money(bar_balance_cents(c->g->tab), balance);
    bar__put_text(
        c, "text", "Successfully added %dx %s (%s) to the order. Your balance is now %s.",
        line.quantity, line.name, line.modifiers[0] ? line.modifiers : "no modifiers", balance);
    bar__put_amounts(c);
}

void bar__add_to_order_with_balance(struct bar__call *c)
{
    struct bar_line line;

    if (!add(c, &line))
        return;
    if (line.quantity > 1)
        bar__put_text(c, "item", "%dx %s", line.quantity, line.name);
    else
        bar__put_text(c, "item", "%s", line.name);
    bar__put_money(c, "new_balance", bar_balance_cents(c->g->tab));
    bar__put_money(c, "new_tab", bar_tab_cents(c->g->tab));
    bar__put_amounts(c);
}

/* By the menu's name for it, or by its own name when the menu has changed since. */
static bool is_called(const struct bar__call *c, const struct bar_line *line, const char *said)
{
    const struct bar_item *item = bar_menu_find(c->g->menu, said);

    return item ? strcmp(line->name, item->name) == 0 : strcasecmp(line->name, said) == 0;
}

struct wanted {
    const char *name;
    char modifiers[BAR_MODIFIERS_MAX];
    bool exact; /* some line has just these modifiers, so only such lines are meant */
};

static bool is_meant(const struct bar__call *c, const struct wanted *w, int index)
{
    const struct bar_line *line = &c->g->tab->lines[index];

    if (!is_called(c, line, w->name))
        return false;
    return w->exact ? strcmp(line->modifiers, w->modifiers) == 0
                    : bar__modifiers_within(w->modifiers, line->modifiers);
}

/* The newest line that is meant, or -1 (and refused). */
static int find_line(struct bar__call *c, struct wanted *w)
{
    const struct bar_tab *t = c->g->tab;
    enum bar_outcome o;

    *w = (struct wanted){.name = bar__arg(c, "item_name")->text};
    o = bar__modifiers(c->g->menu, bar__arg(c, "modifiers"), w->modifiers);
    if (o != BAR_OK) {
        refuse_outcome(c, o, "", 0);
        return -1;
    }
    /* A list that is given and empty names the plain one, when there is one. */
    for (int i = 0; i < t->line_count && bar__arg(c, "modifiers")->given; i++)
        w->exact |= is_called(c, &t->lines[i], w->name) &&
                    strcmp(t->lines[i].modifiers, w->modifiers) == 0;
    for (int i = t->line_count - 1; i >= 0; i--)
        if (is_meant(c, w, i))
            return i;
    if (w->modifiers[0])
        bar__refuse_text(c, BAR_LINE_NOT_FOUND, "'%s' (%s) is not in the order.", w->name,
                         w->modifiers);
    else
        bar__refuse(c, BAR_LINE_NOT_FOUND, w->name);
    return -1;
}

void bar__remove_from_order(struct bar__call *c)
{
    struct bar_tab *t = c->g->tab;
    int64_t before = bar_tab_cents(t);
    struct wanted w;
    int at = find_line(c, &w), left = quantity_of(bar__arg(c, "quantity"), INT32_MAX),
        taken = 0;
    char balance[24];

    if (at < 0)
        return;
    struct bar_line first = t->lines[at];
    for (; at >= 0 && left > 0; at--) {
        if (!is_meant(c, &w, at))
            continue;
        int n = t->lines[at].quantity < left ? t->lines[at].quantity : left;
        enum bar_outcome o = bar_remove(t, at, n);
        MUST(o == BAR_OK);
        left -= n;
        taken += n;
    }
    bar_money(bar_balance_cents(t), balance);
    bar__put_text(c, "text", "Removed %dx %s from the order. Your balance is now %s.", taken,
                  first.name, balance);
    bar__put(c, "name", json_string(first.name));
    bar__put(c, "modifiers", json_string(first.modifiers));
    bar__put(c, "quantity", json_integer(taken));
    bar__put_money(c, "refund", before - bar_tab_cents(t));
    bar__put_amounts(c);
}

/* Read the new_ arguments into `line`. False when refused. */
static bool read_change(struct bar__call *c, struct bar_line *line)
{
    const struct bar__arg *quantity = bar__arg(c, "new_quantity");
    const struct bar__arg *name = bar__arg(c, "new_item");
    const struct bar__arg *modifiers = bar__arg(c, "new_modifiers");

    if (!quantity->given && !name->given && !modifiers->given) {
        bar__refuse_text(c, BAR_INVALID_ARGUMENT,
                         "Say what to change: new_quantity, new_item or new_modifiers.");
        return false;
    }
    if (name->given) {
        const struct bar_item *item = bar_menu_find(c->g->menu, name->text);
        if (!item) {
            bar__refuse_item(c, name->text);
            return false;
        }
        /* The same drink keeps the price it was ordered at. */
        if (strcmp(line->name, item->name) != 0)
            line->unit_cents = item->price_cents;
        str_copy(line->name, sizeof(line->name), item->name);
    }
    line->quantity = quantity_of(quantity, line->quantity);
    if (!modifiers->given)
        return true;
    enum bar_outcome o = bar__modifiers(c->g->menu, modifiers, line->modifiers);
    if (o != BAR_OK)
        refuse_outcome(c, o, "", 0);
    return o == BAR_OK;
}

void bar__change_order(struct bar__call *c)
{
    struct bar_tab *t = c->g->tab;
    struct buf text = BUF_INIT;
    struct wanted w;
    int at = find_line(c, &w);
    enum bar_outcome o;

    if (at < 0)
        return;
    struct bar_line was = t->lines[at], line = was;
    if (!read_change(c, &line))
        return;
    o = bar__change(t, at, &line);
    if (o != BAR_OK) {
        refuse_outcome(c, o, "change costs",
                       line.unit_cents * line.quantity - was.unit_cents * was.quantity);
        return;
    }
    buf_str(&text, "Changed ");
    bar__line_text(&was, &text);
    buf_str(&text, " to ");
    bar__line_text(&line, &text);
    bar__put_text(c, "text", "%s.", buf_text(&text));
    buf_release(&text);
    bar__put_line(c, &line, line.quantity);
    bar__put_amounts(c);
}

/* One line of a list: what, and its price. */
static void list_lines(const struct bar_tab *t, struct buf *out, bool unit)
{
    for (int i = 0; i < t->line_count; i++) {
        const struct bar_line *line = &t->lines[i];
        char price[24];
        buf_str(out, "- ");
        bar__line_text(line, out);
        bar_money(unit ? line->unit_cents : line->unit_cents * line->quantity, price);
        buf_printf(out, " (%s%s)\n", price, unit && line->quantity > 1 ? " each" : "");
    }
}

static void put_list(struct bar__call *c, const char *head, bool unit, const char *tail)
{
    const struct bar_tab *t = c->g->tab;
    struct buf b = BUF_INIT;
    char total[24];

    bar_money(bar_tab_cents(t), total);
    buf_printf(&b, "%s\n", head);
    list_lines(t, &b, unit);
    buf_printf(&b, "Total: %s%s", total, tail);
    if (b.full)
        c->full = true;
    bar__put(c, "text", json_string(buf_text(&b)));
    buf_release(&b);
}

void bar__get_order(struct bar__call *c)
{
    if (c->g->tab->line_count == 0)
        bar__put_text(c, "text", "The order is currently empty.");
    else
        put_list(c, "Current Order:", true, "");
    bar__put_items(c);
    bar__put(c, "placed", json_boolean(c->g->tab->placed));
    bar__put_amounts(c);
}

void bar__confirm_order(struct bar__call *c)
{
    if (c->g->tab->line_count == 0) {
        bar__refuse_text(c, BAR_EMPTY_ORDER,
                         "There is nothing in the order to confirm. Please add items first.");
        return;
    }
    put_list(c, "Your order:", false, "\nShall I place it like this?");
    bar__put_items(c);
    bar__put_amounts(c);
}

void bar__place_order(struct bar__call *c)
{
    struct bar_tab *t = c->g->tab;
    int minutes = MINUTES_MIN + (int)(bar__random(&c->seed) % (MINUTES_MAX - MINUTES_MIN + 1));
    struct buf names = BUF_INIT;
    char total[24];

    if (t->line_count == 0) {
        bar__refuse_text(c, BAR_EMPTY_ORDER,
                         "Cannot place an empty order. Please add items first.");
        return;
    }
    for (int i = 0; i < t->line_count; i++) {
        buf_str(&names, i ? ", " : "");
        bar__line_text(&t->lines[i], &names);
    }
    bar_money(bar_tab_cents(t), total);
    t->placed = true;
    bar__put_text(c, "text",
                  "Order placed successfully! Your items (%s) totalling %s will be ready in "
                  "approximately %d minutes.",
                  buf_text(&names), total, minutes);
    buf_release(&names);
    bar__put(c, "minutes", json_integer(minutes));
    bar__put_items(c);
    bar__put_amounts(c);
}

void bar__clear_order(struct bar__call *c)
{
    int64_t refund = bar_tab_cents(c->g->tab);

    bar_clear(c->g->tab);
    bar__put_text(c, "text", "Your order has been cleared.");
    bar__put_money(c, "refund", refund);
    bar__put_amounts(c);
}
