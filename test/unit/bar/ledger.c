/*
 * Random evenings against a model so small that it is obviously right: a list of (name,
 * modifiers, price, count), what was paid, and a tip as it was asked for.
 */
#include "bar/bar.h"
#include "base/buf.h"
#include "memory/memory.h"
#include "unit/bar/fixture.h"
#include "unit/tap.h"

#define EVENINGS 60
#define STEPS 200

struct model_line {
    const char *name, *modifiers;
    int64_t unit;
    int count;
};

struct model {
    struct model_line lines[BAR_LINES_MAX];
    int count;
    int64_t paid, percent, amount;
};

static uint64_t state;

static int rnd(int below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (int)(state % (uint64_t)below);
}

static const char *const wishes[] = {"", "dry", "neat", "up, dry", "with a twist"};

static int64_t model_tab(const struct model *m)
{
    int64_t sum = 0;

    for (int i = 0; i < m->count; i++)
        sum += m->lines[i].unit * m->lines[i].count;
    return sum;
}

static int64_t model_tip(const struct model *m)
{
    /* Half a cent and more is a cent. */
    int64_t exact = model_tab(m) * m->percent;
    return m->percent ? exact / 10000 + (exact % 10000 >= 5000) : m->amount;
}

static int64_t model_balance(const struct model *m)
{
    return BAR_START_CENTS - m->paid - model_tab(m);
}

static int model_find(const struct model *m, const struct model_line *l, int but)
{
    for (int i = 0; i < m->count; i++)
        if (i != but && strcmp(m->lines[i].name, l->name) == 0 && m->lines[i].unit == l->unit &&
            strcmp(m->lines[i].modifiers, l->modifiers) == 0)
            return i;
    return -1;
}

static void model_drop(struct model *m, int at)
{
    for (int i = at; i + 1 < m->count; i++)
        m->lines[i] = m->lines[i + 1];
    m->count--;
}

static enum bar_outcome model_add(struct model *m, const struct model_line *l)
{
    int at = model_find(m, l, -1);

    if (l->count < 1)
        return BAR_INVALID_QUANTITY;
    if (l->count > BAR_QUANTITY_MAX ||
        (at >= 0 && m->lines[at].count + l->count > BAR_QUANTITY_MAX))
        return BAR_QUANTITY_LIMIT;
    if (l->unit * l->count > model_balance(m))
        return BAR_INSUFFICIENT_FUNDS;
    if (at < 0 && m->count == BAR_LINES_MAX)
        return BAR_ORDER_LIMIT;
    if (at < 0)
        m->lines[m->count++] = *l;
    else
        m->lines[at].count += l->count;
    return BAR_OK;
}

static enum bar_outcome model_change(struct model *m, int at, const char *modifiers, int count)
{
    if (at < 0 || at >= m->count)
        return BAR_LINE_NOT_FOUND;
    if (count < 1)
        return BAR_INVALID_QUANTITY;
    if (count > BAR_QUANTITY_MAX)
        return BAR_QUANTITY_LIMIT;
    if (m->lines[at].unit * (count - m->lines[at].count) > model_balance(m))
        return BAR_INSUFFICIENT_FUNDS;
    m->lines[at].count = count;
    m->lines[at].modifiers = modifiers;
    int twin = model_find(m, &m->lines[at], at);
    if (twin >= 0 && m->lines[twin].count + count <= BAR_QUANTITY_MAX) {
        m->lines[twin].count += count;
        model_drop(m, at);
    }
    return BAR_OK;
}

static enum bar_outcome model_remove(struct model *m, int at, int count)
{
    if (at < 0 || at >= m->count)
        return BAR_LINE_NOT_FOUND;
    if (count < 0)
        return BAR_INVALID_QUANTITY;
    if (count == 0 || count >= m->lines[at].count)
        model_drop(m, at);
    else
        m->lines[at].count -= count;
    return BAR_OK;
}

static enum bar_outcome model_pay(struct model *m)
{
    int64_t total = model_tab(m) + model_tip(m);

    if (m->count == 0)
        return BAR_NOTHING_TO_PAY;
    if (m->paid + total > BAR_START_CENTS)
        return BAR_INSUFFICIENT_FUNDS;
    if (total == 9999)
        return BAR_PAYMENT_REFUSED;
    *m = (struct model){.paid = m->paid + total};
    return BAR_OK;
}

static struct fixture f;

static void compare(const struct model *m)
{
    const struct bar_tab *t = &f.tab;

    CHECK_INT(bar_tab_cents(t), model_tab(m));
    CHECK_INT(bar_tip_cents(t), model_tip(m));
    CHECK_INT(bar_balance_cents(t), model_balance(m));
    CHECK_INT(bar_balance_cents(t) + bar_tab_cents(t) + t->paid_cents, BAR_START_CENTS);
    CHECK(bar_tip_cents(t) >= 0);
    CHECK(bar_balance_cents(t) >= 0);
    CHECK_INT(t->line_count, m->count);
    for (int i = 0; i < m->count && i < t->line_count; i++) {
        CHECK_STR(t->lines[i].name, m->lines[i].name);
        CHECK_STR(t->lines[i].modifiers, m->lines[i].modifiers);
        CHECK_INT(t->lines[i].quantity, m->lines[i].count);
    }
}

static enum bar_outcome step_tip(struct model *m, enum bar_outcome *ret_wanted)
{
    int64_t v = rnd(12000) - 500;
    bool percent = rnd(2);
    int64_t max = percent ? 10000 : BAR_START_CENTS;

    if (!percent && rnd(3) == 0)
        v *= 12;
    if (!percent && m->count && rnd(8) == 0 && model_tab(m) < 9999)
        v = 9999 - model_tab(m); /* the sum that the network refuses */
    *ret_wanted = v >= 0 && v <= max ? BAR_OK
                  : percent          ? BAR_INVALID_TIP_PERCENTAGE
                  : v < 0            ? BAR_INVALID_TIP_AMOUNT
                                     : BAR_INSUFFICIENT_FUNDS;
    if (*ret_wanted == BAR_OK) {
        m->percent = percent ? v : 0;
        m->amount = percent ? 0 : v;
    }
    return percent ? bar_tip_percent(&f.tab, v) : bar_tip_amount(&f.tab, v);
}

/* One random thing is done to both; what they answer must agree. */
static void step(struct model *m)
{
    size_t count;
    const struct bar_item *items = bar_menu_items(f.menu, &count);
    const struct bar_item *item = &items[rnd((int)count)];
    const char *wish = wishes[rnd(5)];
    int at = rnd(m->count + 2) - 1, n = rnd(10) ? rnd(4) : rnd(110) - 3;
    enum bar_outcome got = BAR_OK, wanted = BAR_OK;
    bool known = at >= 0 && at < m->count;

    switch (rnd(12)) {
    default:
        got = bar_add(&f.tab, &f.region, item, wish, n);
        wanted = model_add(m, &(struct model_line){item->name, wish, item->price_cents, n});
        break;
    case 0:
        got = bar_remove(&f.tab, at, n);
        wanted = model_remove(m, at, n);
        break;
    case 1:
        got = bar_set_quantity(&f.tab, at, n);
        wanted = model_change(m, at, known ? m->lines[at].modifiers : "", n);
        break;
    case 2:
        got = bar_set_modifiers(&f.tab, at, wish);
        wanted = model_change(m, at, wish, known ? m->lines[at].count : 1);
        break;
    case 3:
    case 4:
        got = step_tip(m, &wanted);
        break;
    case 5:
        if (rnd(4))
            break;
        got = bar_pay(&f.tab, &f.region, state);
        wanted = model_pay(m);
        break;
    case 6:
        if (rnd(8))
            break;
        bar_clear(&f.tab);
        *m = (struct model){.paid = m->paid};
        break;
    }
    CHECK_STR(bar_outcome_code(got), bar_outcome_code(wanted));
    bar_turn_done(&f.tab, rnd(3) == 0);
}

/* Stored and read back it is the same, byte for byte when stored again. */
static void store_and_load(void)
{
    struct buf first = BUF_INIT, second = BUF_INIT;
    struct bar_tab back;
    struct err e;

    bar_tab_encode(&f.tab, &first);
    CHECK_INT(bar_tab_decode(&back, &f.region, first.data, first.len, &e), 0);
    bar_tab_encode(&back, &second);
    CHECK_INT(first.len, second.len);
    CHECK(first.len == 0 || memcmp(first.data, second.data, first.len) == 0);
    f.tab = back;
    buf_release(&first);
    buf_release(&second);
}

static void test_evenings(void)
{
    int before = tap_failures, paid = 0;

    for (int evening = 0; evening < EVENINGS && tap_failures == before; evening++) {
        struct model m = {0};
        state = 0x9e3779b97f4a7c15u + (uint64_t)evening;
        fixture_init(&f, 0);
        for (int i = 0; i < STEPS && tap_failures == before; i++) {
            step(&m);
            compare(&m);
            if (rnd(16) == 0)
                store_and_load();
            if (tap_failures != before)
                printf("# evening %d, step %d\n", evening, i);
        }
        paid += m.paid > 0;
        fixture_release(&f);
    }
    CHECK(paid > EVENINGS / 2); /* the evenings are worth something */
}

static const struct tap_case cases[] = {
    {"12,000 random steps agree with the model", test_evenings},
};

TAP_MAIN(cases)
