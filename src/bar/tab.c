/*
 * One guest's ledger. No amount is stored that can be computed, so nothing can disagree; the
 * rule every change keeps is tab + paid <= BAR_START_CENTS, which is "balance >= 0".
 */
#include "bar/bar_int.h"

#include "base/strs.h"
#include "memory/memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LINES_FIRST 4
#define PERCENT_ALL 10000  /* 100 per cent */
#define REFUSED_CENTS 9999 /* what the simulated network does not like */
#define SMALL_TALK_ENOUGH 4

static const struct {
    const char *code, *text;
} outcomes[BAR_OUTCOME__COUNT] = {
    [BAR_OK] = {"OK", ""},
#define BAR_OUTCOME(name, code, text) [BAR_##name] = {code, text},
#include "bar/outcome.def"
#undef BAR_OUTCOME
};

const char *bar_outcome_code(enum bar_outcome o)
{
    return o < BAR_OUTCOME__COUNT ? outcomes[o].code : "UNKNOWN";
}

const char *bar__outcome_text(enum bar_outcome o)
{
    return o < BAR_OUTCOME__COUNT ? outcomes[o].text : "";
}

const char *bar_payment_text(enum bar_payment p)
{
    static const char *const names[BAR_PAYMENT__COUNT] = {"pending", "processing", "completed",
                                                          "failed"};
    return p < BAR_PAYMENT__COUNT ? names[p] : "unknown";
}

void bar_money(int64_t cents, char ret[24])
{
    /* Unsigned, so that the smallest number has an opposite too. */
    uint64_t n = cents < 0 ? 0 - (uint64_t)cents : (uint64_t)cents;

    snprintf(ret, 24, "%s$%" PRIu64 ".%02d", cents < 0 ? "-" : "", n / 100, (int)(n % 100));
}

static int64_t line_cents(const struct bar_line *line)
{
    return line->unit_cents * line->quantity;
}

int64_t bar_tab_cents(const struct bar_tab *t)
{
    int64_t sum = 0;

    for (int i = 0; i < t->line_count; i++)
        sum += line_cents(&t->lines[i]);
    return sum;
}

int64_t bar_tip_cents(const struct bar_tab *t)
{
    switch (t->tip_kind) {
    case BAR_TIP_PERCENT:
        return (bar_tab_cents(t) * t->tip_value + PERCENT_ALL / 2) / PERCENT_ALL;
    case BAR_TIP_AMOUNT:
        return t->tip_value;
    default:
        return 0;
    }
}

int64_t bar_balance_cents(const struct bar_tab *t)
{
    return BAR_START_CENTS - t->paid_cents - bar_tab_cents(t);
}

static bool same_line(const struct bar_line *a, const struct bar_line *b)
{
    return a->unit_cents == b->unit_cents && strcmp(a->name, b->name) == 0 &&
           strcmp(a->modifiers, b->modifiers) == 0;
}

static bool grow(struct bar_tab *t, struct region *r)
{
    int32_t cap = t->line_cap ? t->line_cap * 2 : LINES_FIRST;
    size_t old_size = (size_t)t->line_cap * sizeof(*t->lines);
    struct bar_line *lines;

    if (cap > BAR_LINES_MAX)
        cap = BAR_LINES_MAX;
    lines = t->lines ? region_resize(r, t->lines, old_size, (size_t)cap * sizeof(*lines))
                     : region_alloc(r, (size_t)cap * sizeof(*lines));
    if (!lines)
        return false;
    t->lines = lines;
    t->line_cap = cap;
    return true;
}

/* Something was ordered or changed: it is not placed yet, and what was paid is history. */
static void touched(struct bar_tab *t)
{
    t->placed = false;
    t->payment = BAR_PENDING;
}

enum bar_outcome bar_add(struct bar_tab *t, struct region *r, const struct bar_item *item,
                         const char *modifiers, int quantity)
{
    struct bar_line line = {.unit_cents = item->price_cents, .quantity = quantity};
    int at = 0;

    if (quantity < 1)
        return BAR_INVALID_QUANTITY;
    if (quantity > BAR_QUANTITY_MAX)
        return BAR_QUANTITY_LIMIT;
    MUST(str_copy(line.name, sizeof(line.name), item->name));
    if (!str_copy(line.modifiers, sizeof(line.modifiers), modifiers ? modifiers : ""))
        return BAR_INVALID_ARGUMENT;
    while (at < t->line_count && !same_line(&t->lines[at], &line))
        at++;
    if (at < t->line_count && t->lines[at].quantity > BAR_QUANTITY_MAX - quantity)
        return BAR_QUANTITY_LIMIT;
    if (line_cents(&line) > bar_balance_cents(t))
        return BAR_INSUFFICIENT_FUNDS;
    if (at == BAR_LINES_MAX)
        return BAR_ORDER_LIMIT;
    if (at == t->line_cap && !grow(t, r))
        return BAR_MEMORY;
    if (at < t->line_count) {
        t->lines[at].quantity += quantity;
    } else {
        t->lines[at] = line;
        t->line_count++;
    }
    touched(t);
    return BAR_OK;
}

static void drop_line(struct bar_tab *t, int index)
{
    t->line_count--;
    memmove(&t->lines[index], &t->lines[index + 1],
            (size_t)(t->line_count - index) * sizeof(*t->lines));
    if (t->line_count == 0)
        t->placed = false;
    if (t->line_count == 0 && t->payment == BAR_FAILED)
        t->payment = BAR_PENDING;
}

enum bar_outcome bar_remove(struct bar_tab *t, int index, int quantity)
{
    if (index < 0 || index >= t->line_count)
        return BAR_LINE_NOT_FOUND;
    if (quantity < 0)
        return BAR_INVALID_QUANTITY;
    if (quantity == 0 || quantity >= t->lines[index].quantity)
        drop_line(t, index);
    else
        t->lines[index].quantity -= quantity;
    return BAR_OK;
}

enum bar_outcome bar__change(struct bar_tab *t, int index, const struct bar_line *wanted)
{
    int twin = 0;

    if (index < 0 || index >= t->line_count)
        return BAR_LINE_NOT_FOUND;
    if (wanted->quantity < 1)
        return BAR_INVALID_QUANTITY;
    if (wanted->quantity > BAR_QUANTITY_MAX)
        return BAR_QUANTITY_LIMIT;
    if (line_cents(wanted) - line_cents(&t->lines[index]) > bar_balance_cents(t))
        return BAR_INSUFFICIENT_FUNDS;
    t->lines[index] = *wanted;
    /* Two lines that became the same are one, unless that one would be too many. */
    while (twin < t->line_count && (twin == index || !same_line(&t->lines[twin], wanted)))
        twin++;
    if (twin < t->line_count &&
        t->lines[twin].quantity <= BAR_QUANTITY_MAX - wanted->quantity) {
        t->lines[twin].quantity += wanted->quantity;
        drop_line(t, index);
    }
    touched(t);
    return BAR_OK;
}

enum bar_outcome bar_set_quantity(struct bar_tab *t, int index, int quantity)
{
    struct bar_line line;

    if (index < 0 || index >= t->line_count)
        return BAR_LINE_NOT_FOUND;
    line = t->lines[index];
    line.quantity = quantity;
    return bar__change(t, index, &line);
}

enum bar_outcome bar_set_modifiers(struct bar_tab *t, int index, const char *modifiers)
{
    struct bar_line line;

    if (index < 0 || index >= t->line_count)
        return BAR_LINE_NOT_FOUND;
    line = t->lines[index];
    if (!str_copy(line.modifiers, sizeof(line.modifiers), modifiers ? modifiers : ""))
        return BAR_INVALID_ARGUMENT;
    return bar__change(t, index, &line);
}

void bar_clear(struct bar_tab *t)
{
    t->line_count = 0;
    t->placed = false;
    t->tip_kind = BAR_TIP_NONE;
    t->tip_value = 0;
    if (t->payment == BAR_FAILED)
        t->payment = BAR_PENDING;
}

enum bar_outcome bar_tip_percent(struct bar_tab *t, int64_t percent_x100)
{
    if (percent_x100 < 0 || percent_x100 > PERCENT_ALL)
        return BAR_INVALID_TIP_PERCENTAGE;
    t->tip_kind = percent_x100 ? BAR_TIP_PERCENT : BAR_TIP_NONE;
    t->tip_value = percent_x100;
    return BAR_OK;
}

enum bar_outcome bar_tip_amount(struct bar_tab *t, int64_t cents)
{
    if (cents < 0)
        return BAR_INVALID_TIP_AMOUNT;
    if (cents > BAR_START_CENTS)
        return BAR_INSUFFICIENT_FUNDS;
    t->tip_kind = cents ? BAR_TIP_AMOUNT : BAR_TIP_NONE;
    t->tip_value = cents;
    return BAR_OK;
}

/* splitmix64 (public domain): from one seed as many good numbers as wanted. */
uint64_t bar__random(uint64_t *seed)
{
    uint64_t z = *seed += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

enum bar_outcome bar_pay(struct bar_tab *t, struct region *r, uint64_t seed)
{
    int64_t tip = bar_tip_cents(t), total = bar_tab_cents(t) + tip;

    if (t->line_count == 0)
        return BAR_NOTHING_TO_PAY;
    if (tip > bar_balance_cents(t))
        return BAR_INSUFFICIENT_FUNDS;
    if (total == REFUSED_CENTS) {
        t->payment = BAR_FAILED;
        return BAR_PAYMENT_REFUSED;
    }
    if (!bar__count_drinks(t, r))
        return BAR_MEMORY;
    snprintf(t->tx, sizeof(t->tx), "0x");
    for (int i = 0; i < 4; i++)
        snprintf(t->tx + 2 + i * 16, sizeof(t->tx) - 2 - (size_t)i * 16, "%016" PRIx64,
                 bar__random(&seed));
    bar_clear(t);
    t->paid_cents += total;
    t->last_paid_cents = total;
    t->last_tip_cents = tip;
    t->payment = BAR_COMPLETED;
    return BAR_OK;
}

static enum bar_phase next_phase(const struct bar_tab *t, bool ordered)
{
    if (t->phase == BAR_GREETING)
        return BAR_ORDER_TAKING;
    if (ordered)
        return BAR_SMALL_TALK;
    if (t->phase == BAR_ORDER_TAKING)
        return BAR_ORDER_TAKING;
    if (t->phase == BAR_SMALL_TALK && t->small_talk_count >= SMALL_TALK_ENOUGH)
        return BAR_REORDER_PROMPT;
    return BAR_SMALL_TALK;
}

void bar_turn_done(struct bar_tab *t, bool ordered)
{
    enum bar_phase next;

    if (t->turn_count < INT32_MAX)
        t->turn_count++;
    if (ordered)
        t->last_order_turn = t->turn_count;
    if (t->phase == BAR_SMALL_TALK && t->small_talk_count < INT32_MAX)
        t->small_talk_count++;
    next = next_phase(t, ordered);
    if (ordered || next != t->phase)
        t->small_talk_count = 0;
    t->phase = next;
}
