/* What a guest had since the beginning, by drink. */
#include "bar/drinks.c"

#include "bar/bar.h"
#include "unit/bar/fixture.h"
#include "unit/tap.h"

#include "base/buf.h"

static struct fixture f;
static struct buf said;

static void begin(size_t limit)
{
    fixture_init(&f, limit);
}

static void end(void)
{
    buf_release(&said);
    fixture_release(&f);
}

static void order(const char *name, const char *modifiers, int quantity)
{
    CHECK_INT(bar_add(&f.tab, &f.region, bar_menu_find(f.menu, name), modifiers, quantity),
              BAR_OK);
}

static const char *text(void)
{
    buf_clear(&said);
    bar_ordered_text(&f.tab, &said);
    return buf_text(&said);
}

static void test_counting(void)
{
    begin(1 << 20);
    CHECK_STR(text(), "");
    order("negroni", "", 2);
    order("ipa", "", 1);
    CHECK_STR(text(), "Ordered so far: 2 Negroni, 1 IPA.");
    CHECK_INT(bar_remove(&f.tab, 1, 0), BAR_OK); /* taken off: never ordered */
    CHECK_INT(bar_pay(&f.tab, &f.region, 1), BAR_OK);
    CHECK_STR(text(), "Ordered so far: 2 Negroni. Paid $22.00.");
    order("negroni", "up", 1);
    order("negroni", "with a twist", 1);
    order("gin", "neat", 1);
    order("gin", "", 1);
    CHECK_STR(text(), "Ordered so far: 4 Negroni, 2 Gin. Paid $22.00.");
    CHECK_INT(f.tab.drink_count, 1); /* the open ones are counted when they are paid */
    CHECK_INT(bar_pay(&f.tab, &f.region, 1), BAR_OK);
    CHECK_INT(f.tab.drink_count, 2);
    CHECK_INT(f.tab.drinks[0].count, 4);
    CHECK_INT(f.tab.drinks[1].count, 2);
    end();
}

static void test_every_kind(void)
{
    size_t n;
    int32_t total = 0;

    begin(1 << 20);
    const struct bar_item *items = bar_menu_items(f.menu, &n);
    for (size_t i = 0; i < n; i++) {
        CHECK_INT(bar_add(&f.tab, &f.region, &items[i], "", 1), BAR_OK);
        if (i % 3 == 2)
            CHECK_INT(bar_pay(&f.tab, &f.region, i), BAR_OK);
    }
    if (f.tab.line_count)
        CHECK_INT(bar_pay(&f.tab, &f.region, n), BAR_OK);
    for (int i = 0; i < f.tab.drink_count; i++)
        total += f.tab.drinks[i].count;
    CHECK_INT(total, (int64_t)n);
    CHECK_INT(f.tab.other_drinks, 0);
    end();
}

/* Menus change over the years; what is kept of one guest does not grow with them. */
static void test_more_kinds_than_are_counted(void)
{
    struct bar_item item = {.price_cents = 1};
    char name[16];

    begin(1 << 20);
    item.name = name;
    for (int i = 0; i < BAR_DRINKS_MAX + 10; i++) {
        snprintf(name, sizeof(name), "Kind %d", i);
        CHECK_INT(bar_add(&f.tab, &f.region, &item, "", 2), BAR_OK);
        CHECK_INT(bar_pay(&f.tab, &f.region, 1), BAR_OK);
    }
    CHECK_INT(f.tab.drink_count, BAR_DRINKS_MAX);
    CHECK_INT(f.tab.other_drinks, 20);
    CHECK(strstr(text(), ", 20 of other kinds. Paid $1.48."));
    f.tab.drinks[0].count = INT32_MAX - 1;
    snprintf(name, sizeof(name), "Kind 0");
    CHECK_INT(bar_add(&f.tab, &f.region, &item, "", 2), BAR_OK);
    CHECK(strstr(text(), "2147483647 Kind 0"));
    CHECK_INT(bar_pay(&f.tab, &f.region, 1), BAR_OK);
    CHECK_INT(f.tab.drinks[0].count, INT32_MAX);
    end();
}

/* Whoever paid before drinks were counted is not told a number that is too low. */
static void test_paid_before_the_count(void)
{
    struct bar_tab before = {.paid_cents = 2200, .last_paid_cents = 2200};
    struct buf stored = BUF_INIT;
    struct err e;

    begin(1 << 20);
    bar_tab_encode(&before, &stored);
    CHECK_INT(bar_tab_decode(&f.tab, &f.region, stored.data, stored.len, &e), 0);
    CHECK_STR(text(), "Ordered so far: some earlier ones. Paid $22.00.");
    order("ipa", "", 1);
    CHECK_INT(bar_pay(&f.tab, &f.region, 1), BAR_OK);
    buf_clear(&stored);
    bar_tab_encode(&f.tab, &stored);
    CHECK_INT(bar_tab_decode(&f.tab, &f.region, stored.data, stored.len, &e), 0);
    CHECK_STR(text(), "Ordered so far: 1 IPA, some earlier ones. Paid $28.00.");
    buf_release(&stored);
    end();
}

static void test_no_memory_pays_nothing(void)
{
    struct region full;
    struct budget none;

    begin(1 << 20);
    budget_init(&none, 64, NULL);
    region_init(&full, &none, 0);
    order("negroni", "", 2);
    CHECK_INT(bar_pay(&f.tab, &full, 1), BAR_MEMORY);
    CHECK_INT(f.tab.paid_cents, 0);
    CHECK_INT(bar_tab_cents(&f.tab), 2200);
    CHECK_INT(f.tab.drink_count, 0);
    CHECK_INT(bar_pay(&f.tab, &f.region, 1), BAR_OK);
    region_release(&full);
    end();
}

static const struct tap_case cases[] = {
    {"drinks are counted when they are paid for", test_counting},
    {"every kind on the menu", test_every_kind},
    {"more kinds than are counted", test_more_kinds_than_are_counted},
    {"paid before the count began", test_paid_before_the_count},
    {"no memory: nothing is paid", test_no_memory_pays_nothing},
};

int main(void)
{
    return tap_run(cases, (int)ARRAY_LEN(cases));
}
