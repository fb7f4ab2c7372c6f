/*
 * The durable form of a tab: wire fields (base/wire.h), zero values left out, unknown tags
 * skipped. What is decoded is believed by everything above, so every bound of the ledger is
 * checked here again.
 */
#include "bar/bar_int.h"

#include "base/buf.h"
#include "base/strs.h"
#include "base/wire.h"
#include "memory/memory.h"

#include <string.h>

/* Never renumber: these are in people's stores. */
enum tag {
    TAG_LINE = 1,
    TAG_PLACED = 2,
    TAG_TIP_KIND = 3,
    TAG_TIP_VALUE = 4,
    TAG_PAID = 5,
    TAG_PAYMENT = 6,
    TAG_TX = 7,
    TAG_LAST_PAID = 8,
    TAG_LAST_TIP = 9,
    TAG_PHASE = 10,
    TAG_TURN_COUNT = 11,
    TAG_SMALL_TALK = 12,
    TAG_LAST_ORDER = 13,
    TAG_DRINK = 14,
    TAG_OTHER_DRINKS = 15,
    TAG_UNCOUNTED = 16,
};

enum line_tag { LINE_NAME = 1, LINE_MODIFIERS = 2, LINE_UNIT = 3, LINE_QUANTITY = 4 };

enum drink_tag { DRINK_NAME = 1, DRINK_COUNT = 2 };

#define UNIT_MAX 9999999

static void put(struct buf *out, enum tag tag, int64_t v)
{
    if (v != 0)
        wire_put_uint_field(out, (uint8_t)tag, (uint64_t)v);
}

void bar_tab_encode(const struct bar_tab *t, struct buf *out)
{
    for (int i = 0; i < t->line_count; i++) {
        const struct bar_line *line = &t->lines[i];
        size_t place = wire_open_field(out, TAG_LINE);
        wire_put_field(out, LINE_NAME, line->name, strlen(line->name));
        if (line->modifiers[0])
            wire_put_field(out, LINE_MODIFIERS, line->modifiers, strlen(line->modifiers));
        wire_put_uint_field(out, LINE_UNIT, (uint64_t)line->unit_cents);
        wire_put_uint_field(out, LINE_QUANTITY, (uint64_t)line->quantity);
        wire_close_field(out, place);
    }
    put(out, TAG_PLACED, t->placed);
    put(out, TAG_TIP_KIND, t->tip_kind);
    put(out, TAG_TIP_VALUE, t->tip_value);
    put(out, TAG_PAID, t->paid_cents);
    put(out, TAG_PAYMENT, t->payment);
    if (t->tx[0])
        wire_put_field(out, TAG_TX, t->tx, strlen(t->tx));
    put(out, TAG_LAST_PAID, t->last_paid_cents);
    put(out, TAG_LAST_TIP, t->last_tip_cents);
    put(out, TAG_PHASE, t->phase);
    put(out, TAG_TURN_COUNT, t->turn_count);
    put(out, TAG_SMALL_TALK, t->small_talk_count);
    put(out, TAG_LAST_ORDER, t->last_order_turn);
    for (int i = 0; i < t->drink_count; i++) {
        size_t place = wire_open_field(out, TAG_DRINK);
        wire_put_field(out, DRINK_NAME, t->drinks[i].name, strlen(t->drinks[i].name));
        wire_put_uint_field(out, DRINK_COUNT, (uint64_t)t->drinks[i].count);
        wire_close_field(out, place);
    }
    put(out, TAG_OTHER_DRINKS, t->other_drinks);
    put(out, TAG_UNCOUNTED, t->uncounted);
}

static int64_t number(struct str field, int64_t max, bool *bad)
{
    uint64_t v = wire_whole_uint(field, bad);

    if (v > (uint64_t)max)
        *bad = true;
    return *bad ? 0 : (int64_t)v;
}

static void text(struct str field, char *ret, size_t size, bool *bad)
{
    if (field.len >= size || memchr(field.data, '\0', field.len) ||
        utf8_valid_prefix(field.data, field.len) != field.len) {
        *bad = true;
        return;
    }
    memcpy(ret, field.data, field.len);
    ret[field.len] = '\0';
}

static void decode_line(struct str bytes, struct bar_line *line, bool *bad)
{
    struct wire w = wire_read(bytes.data, bytes.len);
    struct str field;
    uint8_t tag;

    while (wire_field(&w, &tag, &field)) {
        switch (tag) {
        case LINE_NAME:
            text(field, line->name, sizeof(line->name), bad);
            break;
        case LINE_MODIFIERS:
            text(field, line->modifiers, sizeof(line->modifiers), bad);
            break;
        case LINE_UNIT:
            line->unit_cents = number(field, UNIT_MAX, bad);
            break;
        case LINE_QUANTITY:
            line->quantity = (int32_t)number(field, BAR_QUANTITY_MAX, bad);
            break;
        default:
            break;
        }
    }
    *bad |= w.bad || !line->name[0] || line->quantity < 1;
}

static void decode_drink(struct str bytes, struct bar_drink *drink, bool *bad)
{
    struct wire w = wire_read(bytes.data, bytes.len);
    struct str field;
    uint8_t tag;

    while (wire_field(&w, &tag, &field)) {
        if (tag == DRINK_NAME)
            text(field, drink->name, sizeof(drink->name), bad);
        else if (tag == DRINK_COUNT)
            drink->count = (int32_t)number(field, INT32_MAX, bad);
    }
    *bad |= w.bad || !drink->name[0] || drink->count < 1;
}

static void decode_tx(struct str field, char *tx, size_t size, bool *bad)
{
    text(field, tx, size, bad);
    if (*bad || strlen(tx) != size - 1 || memcmp(tx, "0x", 2) != 0 ||
        strspn(tx + 2, "0123456789abcdef") != size - 3)
        *bad = true;
}

static void decode_field(struct bar_tab *t, uint8_t tag, struct str field, bool *bad)
{
    switch (tag) {
    case TAG_LINE:
        MUST(t->lines && t->line_count < t->line_cap); /* they were counted */
        decode_line(field, &t->lines[t->line_count++], bad);
        break;
    case TAG_PLACED:
        t->placed = number(field, 1, bad);
        break;
    case TAG_TIP_KIND:
        t->tip_kind = (enum bar_tip_kind)number(field, BAR_TIP_AMOUNT, bad);
        break;
    case TAG_TIP_VALUE:
        t->tip_value = number(field, BAR_START_CENTS, bad);
        break;
    case TAG_PAID:
        t->paid_cents = number(field, BAR_START_CENTS, bad);
        break;
    case TAG_PAYMENT:
        t->payment = (enum bar_payment)number(field, BAR_PAYMENT__COUNT - 1, bad);
        break;
    case TAG_TX:
        decode_tx(field, t->tx, sizeof(t->tx), bad);
        break;
    case TAG_LAST_PAID:
        t->last_paid_cents = number(field, BAR_START_CENTS, bad);
        break;
    case TAG_LAST_TIP:
        t->last_tip_cents = number(field, BAR_START_CENTS, bad);
        break;
    case TAG_PHASE:
        t->phase = (enum bar_phase)number(field, BAR_PHASE__COUNT - 1, bad);
        break;
    case TAG_TURN_COUNT:
        t->turn_count = (int32_t)number(field, INT32_MAX, bad);
        break;
    case TAG_SMALL_TALK:
        t->small_talk_count = (int32_t)number(field, INT32_MAX, bad);
        break;
    case TAG_LAST_ORDER:
        t->last_order_turn = (int32_t)number(field, INT32_MAX, bad);
        break;
    case TAG_DRINK:
        MUST(t->drinks && t->drink_count < t->drink_cap);
        decode_drink(field, &t->drinks[t->drink_count++], bad);
        break;
    case TAG_OTHER_DRINKS:
        t->other_drinks = (int32_t)number(field, INT32_MAX, bad);
        break;
    case TAG_UNCOUNTED:
        t->uncounted = number(field, 1, bad);
        break;
    default: /* written by a newer version; not ours to understand */
        break;
    }
}

/* The bounds of the whole that no single field shows. */
static bool sound(const struct bar_tab *t)
{
    return bar_balance_cents(t) >= 0 &&
           (t->tip_kind == BAR_TIP_PERCENT  ? t->tip_value >= 1 && t->tip_value <= 10000
            : t->tip_kind == BAR_TIP_AMOUNT ? t->tip_value >= 1
                                            : t->tip_value == 0) &&
           t->last_paid_cents <= t->paid_cents && t->last_tip_cents <= t->last_paid_cents &&
           t->last_order_turn <= t->turn_count;
}

int bar_tab_decode(struct bar_tab *ret, struct region *r, const void *data, size_t len,
                   struct err *e)
{
    struct bar_tab t = {0};
    struct wire w = wire_read(data, len);
    struct str field;
    int32_t lines = 0, drinks = 0;
    uint8_t tag;
    bool bad = false;

    /* First count, so that the lines are one allocation of the right size, and the drinks. */
    while (wire_field(&w, &tag, &field)) {
        lines += tag == TAG_LINE && lines <= BAR_LINES_MAX;
        drinks += tag == TAG_DRINK && drinks <= BAR_DRINKS_MAX;
    }
    if (w.bad || lines > BAR_LINES_MAX || drinks > BAR_DRINKS_MAX)
        return err_set(e, ERR_CORRUPT, 0, "the stored order cannot be read");
    if (lines) {
        t.lines = region_alloc(r, (size_t)lines * sizeof(*t.lines));
        if (!t.lines)
            return err_set(e, ERR_SESSION_MEMORY, 0, "no memory for %d order lines", lines);
        t.line_cap = lines;
    }
    if (drinks) {
        t.drinks = region_alloc(r, (size_t)drinks * sizeof(*t.drinks));
        if (!t.drinks)
            return err_set(e, ERR_SESSION_MEMORY, 0, "no memory for %d counts", drinks);
        t.drink_cap = drinks;
    }
    w = wire_read(data, len);
    while (!bad && wire_field(&w, &tag, &field))
        decode_field(&t, tag, field, &bad);
    if (bad || !sound(&t))
        return err_set(e, ERR_CORRUPT, 0, "the stored order breaks the rules of the ledger");
    t.uncounted |= t.paid_cents > 0 && t.drink_count == 0;
    *ret = t;
    return 0;
}
