/*
 * How many of each drink a guest had, since the beginning. Counted when they are paid for, so
 * that what was taken off again was never ordered; what is still open is in the order itself.
 */
#include "bar/bar_int.h"

#include "base/buf.h"
#include "base/strs.h"
#include "memory/memory.h"

#include <string.h>

#define DRINKS_FIRST 4

static struct bar_drink *find(const struct bar_tab *t, const char *name)
{
    for (int i = 0; i < t->drink_count; i++)
        if (strcmp(t->drinks[i].name, name) == 0)
            return &t->drinks[i];
    return NULL;
}

/* Line i is the first of its name. */
static bool first_of_its_name(const struct bar_tab *t, int i)
{
    for (int k = 0; k < i; k++)
        if (strcmp(t->lines[k].name, t->lines[i].name) == 0)
            return false;
    return true;
}

static bool make_room(struct bar_tab *t, struct region *r)
{
    int32_t need = t->drink_count, cap = t->drink_cap ? t->drink_cap : DRINKS_FIRST;
    size_t old_size = (size_t)t->drink_cap * sizeof(*t->drinks);
    struct bar_drink *drinks;

    for (int i = 0; i < t->line_count; i++)
        need += !find(t, t->lines[i].name) && first_of_its_name(t, i);
    if (need > BAR_DRINKS_MAX)
        need = BAR_DRINKS_MAX;
    if (need <= t->drink_cap)
        return true;
    while (cap < need)
        cap *= 2;
    drinks = t->drinks ? region_resize(r, t->drinks, old_size, (size_t)cap * sizeof(*drinks))
                       : region_alloc(r, (size_t)cap * sizeof(*drinks));
    if (!drinks)
        return false;
    t->drinks = drinks;
    t->drink_cap = cap;
    return true;
}

static void add(int32_t *count, int32_t n)
{
    *count = *count > INT32_MAX - n ? INT32_MAX : *count + n;
}

bool bar__count_drinks(struct bar_tab *t, struct region *r)
{
    if (!make_room(t, r))
        return false;
    for (int i = 0; i < t->line_count; i++) {
        struct bar_drink *drink = find(t, t->lines[i].name);
        if (!drink && t->drink_count < BAR_DRINKS_MAX) {
            drink = &t->drinks[t->drink_count++];
            *drink = (struct bar_drink){.count = 0};
            MUST(str_copy(drink->name, sizeof(drink->name), t->lines[i].name));
        }
        add(drink ? &drink->count : &t->other_drinks, t->lines[i].quantity);
    }
    return true;
}

/* How many of that name are in the order now. */
static int32_t open_count(const struct bar_tab *t, const char *name)
{
    int32_t n = 0;

    for (int i = 0; i < t->line_count; i++)
        if (strcmp(t->lines[i].name, name) == 0)
            add(&n, t->lines[i].quantity);
    return n;
}

static void put(struct buf *out, const char **before, int32_t count, const char *name)
{
    if (count == 0)
        return;
    buf_printf(out, "%s%d %s", *before, (int)count, name);
    *before = ", ";
}

void bar_ordered_text(const struct bar_tab *t, struct buf *out)
{
    const char *before = "Ordered so far: ";
    char paid[24];

    for (int i = 0; i < t->drink_count; i++) {
        int32_t n = t->drinks[i].count;
        add(&n, open_count(t, t->drinks[i].name));
        put(out, &before, n, t->drinks[i].name);
    }
    for (int i = 0; i < t->line_count; i++)
        if (!find(t, t->lines[i].name) && first_of_its_name(t, i))
            put(out, &before, open_count(t, t->lines[i].name), t->lines[i].name);
    put(out, &before, t->other_drinks, "of other kinds");
    if (t->uncounted)
        buf_printf(out, "%ssome earlier ones", before);
    if (t->uncounted || before[0] == ',')
        buf_char(out, '.');
    if (t->paid_cents == 0)
        return;
    bar_money(t->paid_cents, paid);
    buf_printf(out, " Paid %s.", paid);
}
