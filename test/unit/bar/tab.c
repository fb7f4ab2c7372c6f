#include "bar/tab.c"

#include "unit/bar/fixture.h"
#include "unit/tap.h"

static const struct bar_item *drink(const struct fixture *f, const char *name)
{
    const struct bar_item *item = bar_menu_find(f->menu, name);

    MUST(item);
    return item;
}

static enum bar_outcome add(struct fixture *f, const char *name, const char *mods, int n)
{
    return bar_add(&f->tab, &f->region, drink(f, name), mods, n);
}

static void test_money(void)
{
    char s[24];

    bar_money(1300, s);
    CHECK_STR(s, "$13.00");
    bar_money(5, s);
    CHECK_STR(s, "$0.05");
    bar_money(-250, s);
    CHECK_STR(s, "-$2.50");
    bar_money(INT64_MIN, s);
    CHECK_STR(s, "-$92233720368547758.08");
}

static void test_add(void)
{
    struct fixture f;

    fixture_init(&f, 0);
    CHECK_INT(bar_balance_cents(&f.tab), 100000);
    CHECK_INT(add(&f, "martini", "dry", 2), BAR_OK);
    CHECK_INT(add(&f, "martini", NULL, 1), BAR_OK);
    CHECK_INT(add(&f, "martini", "dry", 1), BAR_OK);
    CHECK_INT(f.tab.line_count, 2);
    CHECK_INT(f.tab.lines[0].quantity, 3);
    CHECK_STR(f.tab.lines[0].name, "Martini");
    CHECK_STR(f.tab.lines[1].modifiers, "");
    CHECK_INT(bar_tab_cents(&f.tab), 5200);
    CHECK_INT(bar_balance_cents(&f.tab), 94800);
    CHECK_INT(add(&f, "gin", NULL, 0), BAR_INVALID_QUANTITY);
    CHECK_INT(add(&f, "gin", NULL, -5), BAR_INVALID_QUANTITY);
    CHECK_INT(add(&f, "gin", NULL, 101), BAR_QUANTITY_LIMIT);
    CHECK_INT(add(&f, "martini", "dry", 98), BAR_QUANTITY_LIMIT);
    CHECK_INT(add(&f, "martini", "up", 100), BAR_INSUFFICIENT_FUNDS);
    CHECK_INT(bar_tab_cents(&f.tab), 5200);
    fixture_release(&f);
}

static void test_whole_balance(void)
{
    struct fixture f;

    fixture_init(&f, 0);
    CHECK_INT(add(&f, "daiquiri", NULL, 100), BAR_OK); /* exactly all of it */
    CHECK_INT(bar_balance_cents(&f.tab), 0);
    CHECK_INT(add(&f, "water", NULL, 1), BAR_INSUFFICIENT_FUNDS);
    CHECK_INT(bar_tip_percent(&f.tab, 1000), BAR_OK);
    CHECK_INT(bar_pay(&f.tab, &f.region, 1),
              BAR_INSUFFICIENT_FUNDS); /* nothing left for the tip */
    CHECK_INT(f.tab.payment, BAR_PENDING);
    CHECK_INT(bar_tip_percent(&f.tab, 0), BAR_OK);
    CHECK_INT(bar_pay(&f.tab, &f.region, 1), BAR_OK);
    CHECK_INT(bar_balance_cents(&f.tab), 0);
    CHECK_INT(f.tab.paid_cents, 100000);
    fixture_release(&f);
}

static void test_tip_needs_balance(void)
{
    struct fixture f;

    fixture_init(&f, 0);
    CHECK_INT(add(&f, "daiquiri", NULL, 99), BAR_OK); /* leaves 10.00 */
    CHECK_INT(bar_tip_amount(&f.tab, 1001), BAR_OK);
    CHECK_INT(bar_pay(&f.tab, &f.region, 1), BAR_INSUFFICIENT_FUNDS);
    CHECK_INT(bar_tip_amount(&f.tab, 1000), BAR_OK);
    CHECK_INT(bar_pay(&f.tab, &f.region, 1), BAR_OK);
    CHECK_INT(bar_balance_cents(&f.tab), 0);
    fixture_release(&f);
}

static void test_line_limit(void)
{
    struct fixture f;
    char mods[16];

    fixture_init(&f, 0);
    for (int i = 0; i < BAR_LINES_MAX; i++) {
        snprintf(mods, sizeof(mods), "m%d", i);
        CHECK_INT(add(&f, "water", mods, 1), BAR_OK);
    }
    CHECK_INT(add(&f, "water", "one more", 1), BAR_ORDER_LIMIT);
    CHECK_INT(add(&f, "water", "m63", 1), BAR_OK);
    CHECK_INT(f.tab.line_count, BAR_LINES_MAX);
    fixture_release(&f);
}

static void test_long_modifiers(void)
{
    struct fixture f;
    char mods[BAR_MODIFIERS_MAX + 1];

    fixture_init(&f, 0);
    memset(mods, 'x', sizeof(mods));
    mods[BAR_MODIFIERS_MAX] = '\0';
    CHECK_INT(add(&f, "gin", mods, 1), BAR_INVALID_ARGUMENT);
    mods[BAR_MODIFIERS_MAX - 1] = '\0';
    CHECK_INT(add(&f, "gin", mods, 1), BAR_OK);
    mods[BAR_MODIFIERS_MAX - 1] = 'x';
    CHECK_INT(bar_set_modifiers(&f.tab, 0, mods), BAR_INVALID_ARGUMENT);
    fixture_release(&f);
}

static void test_remove(void)
{
    struct fixture f;

    fixture_init(&f, 0);
    add(&f, "gin", NULL, 3);
    add(&f, "ipa", NULL, 1);
    CHECK_INT(bar_remove(&f.tab, 2, 1), BAR_LINE_NOT_FOUND);
    CHECK_INT(bar_remove(&f.tab, -1, 1), BAR_LINE_NOT_FOUND);
    CHECK_INT(bar_remove(&f.tab, 0, -1), BAR_INVALID_QUANTITY);
    CHECK_INT(bar_remove(&f.tab, 0, 1), BAR_OK);
    CHECK_INT(bar_tab_cents(&f.tab), 2200);
    CHECK_INT(bar_remove(&f.tab, 0, 9), BAR_OK);
    CHECK_STR(f.tab.lines[0].name, "IPA");
    f.tab.placed = true;
    CHECK_INT(bar_remove(&f.tab, 0, 0), BAR_OK);
    CHECK_INT(f.tab.line_count, 0);
    CHECK(!f.tab.placed);
    CHECK_INT(bar_balance_cents(&f.tab), 100000);
    fixture_release(&f);
}

static void test_change(void)
{
    struct fixture f;

    fixture_init(&f, 0);
    add(&f, "gin", NULL, 1);
    add(&f, "gin", "neat", 2);
    add(&f, "ipa", NULL, 1);
    f.tab.placed = true;
    CHECK_INT(bar_set_quantity(&f.tab, 0, 4), BAR_OK);
    CHECK(!f.tab.placed);
    CHECK_INT(bar_tab_cents(&f.tab), 6 * 800 + 600);
    CHECK_INT(bar_set_quantity(&f.tab, 0, 0), BAR_INVALID_QUANTITY);
    CHECK_INT(bar_set_quantity(&f.tab, 0, 101), BAR_QUANTITY_LIMIT);
    CHECK_INT(bar_set_quantity(&f.tab, 3, 1), BAR_LINE_NOT_FOUND);
    CHECK_INT(bar_set_modifiers(&f.tab, 3, ""), BAR_LINE_NOT_FOUND);
    CHECK_INT(bar_set_modifiers(&f.tab, 1, ""), BAR_OK); /* becomes the same as line 0 */
    CHECK_INT(f.tab.line_count, 2);
    CHECK_INT(f.tab.lines[0].quantity, 6);
    CHECK_STR(f.tab.lines[1].name, "IPA");
    /* Two lines that together are too many stay two. */
    bar_set_quantity(&f.tab, 0, 60);
    add(&f, "gin", "up", 50);
    CHECK_INT(bar_set_modifiers(&f.tab, 2, ""), BAR_OK);
    CHECK_INT(f.tab.line_count, 3);
    CHECK_INT(bar_set_quantity(&f.tab, 0, 100), BAR_INSUFFICIENT_FUNDS);
    CHECK_INT(f.tab.lines[0].quantity, 60);
    fixture_release(&f);
}

static void test_tip(void)
{
    struct fixture f;

    fixture_init(&f, 0);
    CHECK_INT(bar_tip_percent(&f.tab, 1500), BAR_OK);
    CHECK_INT(bar_tip_cents(&f.tab), 0);
    add(&f, "martini", NULL, 1);
    CHECK_INT(bar_tip_cents(&f.tab), 195);
    add(&f, "ipa", NULL, 1); /* the tip follows the tab */
    CHECK_INT(bar_tip_cents(&f.tab), 285);
    CHECK_INT(bar_tip_percent(&f.tab, 1), BAR_OK);
    CHECK_INT(bar_tip_cents(&f.tab), 0); /* 0.19 cents */
    CHECK_INT(bar_tip_percent(&f.tab, -1), BAR_INVALID_TIP_PERCENTAGE);
    CHECK_INT(bar_tip_percent(&f.tab, 10001), BAR_INVALID_TIP_PERCENTAGE);
    CHECK_INT(bar_tip_amount(&f.tab, -1), BAR_INVALID_TIP_AMOUNT);
    CHECK_INT(bar_tip_amount(&f.tab, 100001), BAR_INSUFFICIENT_FUNDS);
    CHECK_INT(bar_tip_amount(&f.tab, 500), BAR_OK);
    CHECK_INT(bar_tip_cents(&f.tab), 500);
    CHECK_INT(bar_tip_amount(&f.tab, 0), BAR_OK);
    CHECK_INT(f.tab.tip_kind, BAR_TIP_NONE);
    CHECK_INT(bar_balance_cents(&f.tab), 98100); /* a tip is not taken before it is paid */
    fixture_release(&f);
}

static void test_pay(void)
{
    struct fixture f;
    char first[67];

    fixture_init(&f, 0);
    CHECK_INT(bar_pay(&f.tab, &f.region, 1), BAR_NOTHING_TO_PAY);
    add(&f, "old fashioned", NULL, 2);
    add(&f, "ipa", NULL, 1);
    bar_tip_percent(&f.tab, 2000);
    CHECK_INT(bar_pay(&f.tab, &f.region, 1), BAR_OK);
    CHECK_INT(f.tab.paid_cents, 3600);
    CHECK_INT(f.tab.last_paid_cents, 3600);
    CHECK_INT(f.tab.last_tip_cents, 600);
    CHECK_INT(bar_balance_cents(&f.tab), 96400);
    CHECK_INT(bar_tab_cents(&f.tab), 0);
    CHECK_INT(bar_tip_cents(&f.tab), 0);
    CHECK_INT(f.tab.payment, BAR_COMPLETED);
    CHECK_INT(strlen(f.tab.tx), 66);
    CHECK_INT(strspn(f.tab.tx + 2, "0123456789abcdef"), 64);
    memcpy(first, f.tab.tx, sizeof(first));
    CHECK_INT(bar_pay(&f.tab, &f.region, 2), BAR_NOTHING_TO_PAY);
    add(&f, "gin", NULL, 1);
    CHECK_INT(f.tab.payment, BAR_PENDING);
    CHECK_INT(bar_pay(&f.tab, &f.region, 2), BAR_OK);
    CHECK(strcmp(first, f.tab.tx) != 0);
    CHECK_INT(f.tab.paid_cents, 4400);
    fixture_release(&f);
}

static void test_refused_payment(void)
{
    struct fixture f;

    fixture_init(&f, 0);
    add(&f, "negroni", NULL, 9); /* 99.00 */
    bar_tip_amount(&f.tab, 99);
    CHECK_INT(bar_pay(&f.tab, &f.region, 1), BAR_PAYMENT_REFUSED);
    CHECK_INT(f.tab.payment, BAR_FAILED);
    CHECK_INT(bar_tab_cents(&f.tab), 9900);
    CHECK_INT(f.tab.paid_cents, 0);
    CHECK_STR(f.tab.tx, "");
    bar_tip_amount(&f.tab, 100);
    CHECK_INT(bar_pay(&f.tab, &f.region, 1), BAR_OK);
    CHECK_INT(f.tab.payment, BAR_COMPLETED);
    add(&f, "negroni", NULL, 9);
    bar_tip_amount(&f.tab, 99);
    CHECK_INT(bar_pay(&f.tab, &f.region, 1), BAR_PAYMENT_REFUSED);
    bar_clear(&f.tab);
    CHECK_INT(f.tab.payment, BAR_PENDING);
    CHECK_INT(f.tab.tip_kind, BAR_TIP_NONE);
    fixture_release(&f);
}

static void test_phases(void)
{
    struct bar_tab t = {0};
    static const enum bar_phase after_order[] = {
        BAR_SMALL_TALK, BAR_SMALL_TALK, BAR_SMALL_TALK, BAR_SMALL_TALK, BAR_REORDER_PROMPT,
        BAR_SMALL_TALK, BAR_SMALL_TALK, BAR_SMALL_TALK, BAR_SMALL_TALK, BAR_REORDER_PROMPT};

    bar_turn_done(&t, true);
    CHECK_INT(t.phase, BAR_ORDER_TAKING); /* always after the greeting */
    bar_turn_done(&t, false);
    CHECK_INT(t.phase, BAR_ORDER_TAKING);
    bar_turn_done(&t, true);
    CHECK_INT(t.phase, BAR_SMALL_TALK);
    CHECK_INT(t.last_order_turn, 3);
    for (size_t i = 1; i < ARRAY_LEN(after_order); i++) {
        bar_turn_done(&t, false);
        CHECK_INT(t.phase, after_order[i]);
    }
    bar_turn_done(&t, true);
    CHECK_INT(t.phase, BAR_SMALL_TALK);
    CHECK_INT(t.small_talk_count, 0);
}

static void test_names(void)
{
    CHECK_STR(bar_payment_text(BAR_COMPLETED), "completed");
    CHECK_STR(bar_payment_text(BAR_PAYMENT__COUNT), "unknown");
    CHECK_STR(bar_outcome_code(BAR_NOTHING_TO_PAY), "PAYMENT_FAILED");
    CHECK_STR(bar_outcome_code(BAR_OK), "OK");
    CHECK_STR(bar_outcome_code(BAR_OUTCOME__COUNT), "UNKNOWN");
}

/* For every size of budget: what is refused changes nothing, what is taken is right. */
static void test_no_memory(void)
{
    bool refused = false;

    for (size_t limit = 1; limit < 32768; limit += limit < 64 ? 1 : 512) {
        struct fixture f;
        int32_t lines = 0;
        fixture_init(&f, limit);
        for (int i = 0; i < BAR_LINES_MAX; i++) {
            char mods[16];
            snprintf(mods, sizeof(mods), "m%d", i);
            enum bar_outcome o = add(&f, "water", mods, 1);
            CHECK(o == BAR_OK || o == BAR_MEMORY);
            refused |= o == BAR_MEMORY;
            lines += o == BAR_OK;
            CHECK_INT(f.tab.line_count, lines);
            CHECK_INT(bar_tab_cents(&f.tab), lines * 100);
        }
        CHECK(f.budget.used <= limit);
        fixture_release(&f);
    }
    CHECK(refused);
}

static const struct tap_case cases[] = {
    {"money as text", test_money},
    {"adding moves money to the tab; the same line grows", test_add},
    {"the last cent can be spent, not one more", test_whole_balance},
    {"a tip needs balance when it is paid", test_tip_needs_balance},
    {"an order holds 64 lines", test_line_limit},
    {"modifiers have a length", test_long_modifiers},
    {"removing moves money back", test_remove},
    {"changing checks first and merges twins", test_change},
    {"a tip follows the tab", test_tip},
    {"paying takes tab and tip", test_pay},
    {"99.99 is refused and nothing is taken", test_refused_payment},
    {"phases", test_phases},
    {"names of values", test_names},
    {"too little memory is an answer", test_no_memory},
};

TAP_MAIN(cases)
