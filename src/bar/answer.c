/* How tools answer: members of the result, and refusals. */
#include "bar/tool_int.h"

#include "base/buf.h"
#include "base/strs.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void bar__put(struct bar__call *c, const char *key, json_t *value)
{
    if (!value || json_object_set_new(c->result, key, value))
        c->full = true;
}

void bar__put_text(struct bar__call *c, const char *key, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    bar__put(c, key, json_vsprintf(fmt, ap));
    va_end(ap);
}

static bool set_money(json_t *object, const char *key, int64_t cents)
{
    char cents_key[40];

    snprintf(cents_key, sizeof(cents_key), "%s_cents", key);
    return json_object_set_new(object, key, json_real((double)cents / 100.0)) == 0 &&
           json_object_set_new(object, cents_key, json_integer(cents)) == 0;
}

void bar__put_money(struct bar__call *c, const char *key, int64_t cents)
{
    if (!set_money(c->result, key, cents))
        c->full = true;
}

void bar__put_amounts(struct bar__call *c)
{
    const struct bar_tab *t = c->g->tab;
    int64_t tab = bar_tab_cents(t), tip = bar_tip_cents(t);

    bar__put_money(c, "tab", tab);
    bar__put_money(c, "tip_amount", tip);
    bar__put_money(c, "total", tab + tip);
    bar__put_money(c, "balance", bar_balance_cents(t));
    bar__put(c, "payment_status", json_string(bar_payment_text(t->payment)));
}

static bool set_line(json_t *object, const struct bar_line *line, int quantity)
{
    return json_object_set_new(object, "name", json_string(line->name)) == 0 &&
           json_object_set_new(object, "modifiers", json_string(line->modifiers)) == 0 &&
           json_object_set_new(object, "quantity", json_integer(quantity)) == 0 &&
           set_money(object, "unit_price", line->unit_cents) &&
           set_money(object, "line_total", line->unit_cents * quantity);
}

void bar__put_line(struct bar__call *c, const struct bar_line *line, int quantity)
{
    if (!set_line(c->result, line, quantity))
        c->full = true;
}

void bar__put_items(struct bar__call *c)
{
    const struct bar_tab *t = c->g->tab;
    json_t *items = json_array();

    for (int i = 0; items && i < t->line_count; i++) {
        json_t *object = json_object();
        if (!object || !set_line(object, &t->lines[i], t->lines[i].quantity))
            c->full = true;
        if (json_array_append_new(items, object))
            c->full = true;
    }
    bar__put(c, "items", items);
}

void bar__refuse_text(struct bar__call *c, enum bar_outcome o, const char *fmt, ...)
{
    char message[320];
    va_list ap;

    if (c->error)
        return;
    va_start(ap, fmt);
    vsnprintf(message, sizeof(message), fmt, ap);
    va_end(ap);
    /* What was cut may end inside a character. */
    message[utf8_valid_prefix(message, strlen(message))] = '\0';
    c->error = json_pack("{s:s, s:s, s:s}", "status", "error", "error", bar_outcome_code(o),
                         "message", message);
    if (!c->error)
        c->full = true;
}

void bar__refuse(struct bar__call *c, enum bar_outcome o, const char *arg)
{
    const char *text = bar__outcome_text(o), *place = strstr(text, "%s");

    if (place)
        bar__refuse_text(c, o, "%.*s%s%s", (int)(place - text), text, arg, place + 2);
    else
        bar__refuse_text(c, o, "%s", text);
}

static void add_to_error(struct bar__call *c, const char *key, json_t *value)
{
    if (!c->error || !value || json_object_set_new(c->error, key, value))
        c->full = true;
}

void bar__refuse_funds(struct bar__call *c, const char *what, int64_t cents)
{
    int64_t balance = bar_balance_cents(c->g->tab);
    char have[24], need[24];

    bar_money(balance, have);
    bar_money(cents, need);
    bar__refuse_text(c, BAR_INSUFFICIENT_FUNDS,
                     "Insufficient funds: your balance is %s but the %s %s.", have, what, need);
    add_to_error(c, "balance_cents", json_integer(balance));
    add_to_error(c, "price_cents", json_integer(cents));
}

void bar__refuse_item(struct bar__call *c, const char *name)
{
    char form[BAR_NAME_MAX], other[BAR_NAME_MAX];
    const struct bar_item *items, *like = NULL;
    size_t count;
    int best = 4;

    bar__refuse(c, BAR_ITEM_NOT_FOUND, name);
    bar_normal(name, strlen(name), form, sizeof(form));
    items = bar_menu_items(c->g->menu, &count);
    for (size_t i = 0; i < count; i++) {
        bar_normal(items[i].name, strlen(items[i].name), other, sizeof(other));
        int d = str_distance(form, other, best);
        if (d < best && d * 2 < (int)strlen(other)) {
            best = d;
            like = &items[i];
        }
    }
    if (like)
        add_to_error(c, "nearest", json_string(like->name));
}

void bar__line_text(const struct bar_line *line, struct buf *out)
{
    const char *m = line->modifiers;
    /* "with a twist" and "on the rocks" bring their own preposition. */
    bool bare = strncmp(m, "with ", 5) != 0 && strncmp(m, "on ", 3) != 0;

    if (line->quantity > 1)
        buf_printf(out, "%dx ", line->quantity);
    buf_str(out, line->name);
    if (m[0])
        buf_printf(out, "%s%s", bare ? " with " : " ", m);
}

void bar__percent_text(int64_t percent_x100, char ret[16])
{
    int whole = (int)percent_x100 / 100, part = (int)percent_x100 % 100;

    if (part % 10 == 0)
        snprintf(ret, 16, "%d.%d", whole, part / 10);
    else
        snprintf(ret, 16, "%d.%02d", whole, part);
}
