#include "bar/codec.c"

#include "unit/bar/fixture.h"
#include "unit/tap.h"

#include <stdio.h>

static struct fixture f;
static struct buf stored;

static void begin(void)
{
    fixture_init(&f, 0);
    stored = (struct buf)BUF_INIT;
}

static void end(void)
{
    buf_release(&stored);
    fixture_release(&f);
}

static bool same_tab(const struct bar_tab *a, const struct bar_tab *b)
{
    struct bar_tab x = *a, y = *b;
    bool same = a->line_count == b->line_count;

    x.lines = y.lines = NULL;
    x.line_cap = y.line_cap = 0;
    for (int i = 0; same && i < a->line_count; i++)
        same = strcmp(a->lines[i].name, b->lines[i].name) == 0 &&
               strcmp(a->lines[i].modifiers, b->lines[i].modifiers) == 0 &&
               a->lines[i].unit_cents == b->lines[i].unit_cents &&
               a->lines[i].quantity == b->lines[i].quantity;
    return same && x.placed == y.placed && x.tip_kind == y.tip_kind &&
           x.tip_value == y.tip_value && x.paid_cents == y.paid_cents &&
           x.payment == y.payment && strcmp(x.tx, y.tx) == 0 &&
           x.last_paid_cents == y.last_paid_cents && x.last_tip_cents == y.last_tip_cents &&
           x.phase == y.phase && x.turn_count == y.turn_count &&
           x.small_talk_count == y.small_talk_count && x.last_order_turn == y.last_order_turn;
}

/* Decode what is stored; the tab is given back only when it was taken. */
static bool decode(struct bar_tab *ret, struct err *e)
{
    return bar_tab_decode(ret, &f.region, stored.data, stored.len, e) == 0;
}

static void test_empty(void)
{
    struct bar_tab t = {.turn_count = 9};
    struct err e;

    begin();
    bar_tab_encode(&f.tab, &stored);
    CHECK_INT(stored.len, 0);
    CHECK(decode(&t, &e));
    CHECK_INT(t.turn_count, 0);
    CHECK(t.lines == NULL);
    end();
}

/* Every field with a value of its own comes back. */
static void test_round_trip(void)
{
    struct bar_tab t;
    struct err e;

    begin();
    CHECK_INT(bar_add(&f.tab, &f.region, bar_menu_find(f.menu, "gin"), "neat", 2), BAR_OK);
    CHECK_INT(bar_pay(&f.tab, &f.region, 7), BAR_OK);
    CHECK_INT(bar_add(&f.tab, &f.region, bar_menu_find(f.menu, "ipa"), "", 3), BAR_OK);
    CHECK_INT(bar_add(&f.tab, &f.region, bar_menu_find(f.menu, "cosmo"), "up, dry", 1), BAR_OK);
    CHECK_INT(bar_tip_percent(&f.tab, 1825), BAR_OK);
    f.tab.placed = true;
    f.tab.last_tip_cents = 5;
    f.tab.phase = BAR_REORDER_PROMPT;
    f.tab.turn_count = 12;
    f.tab.small_talk_count = 3;
    f.tab.last_order_turn = 11;
    f.tab.other_drinks = 4;
    f.tab.uncounted = true;
    bar_tab_encode(&f.tab, &stored);
    CHECK(!stored.full);
    CHECK(decode(&t, &e));
    CHECK(same_tab(&f.tab, &t));
    CHECK_INT(t.line_cap, 2);
    CHECK_INT(t.drink_count, 1);
    CHECK_STR(t.drinks[0].name, "Gin");
    CHECK_INT(t.drinks[0].count, 2);
    CHECK(t.other_drinks == 4 && t.uncounted);
    /* And it goes on growing. */
    CHECK_INT(bar_add(&t, &f.region, bar_menu_find(f.menu, "rum"), "", 1), BAR_OK);
    CHECK_INT(t.line_count, 3);
    end();
}

static void test_unknown_tags(void)
{
    struct bar_tab t;
    struct err e;

    begin();
    CHECK_INT(bar_add(&f.tab, &f.region, bar_menu_find(f.menu, "gin"), "neat", 2), BAR_OK);
    wire_put_field(&stored, 200, "newer", 5);
    bar_tab_encode(&f.tab, &stored);
    wire_put_field(&stored, 201, "", 0);
    CHECK(decode(&t, &e));
    CHECK(same_tab(&f.tab, &t));
    end();
}

static size_t line_open(void)
{
    return wire_open_field(&stored, TAG_LINE);
}

static void put_line(const char *name, uint64_t unit, uint64_t quantity)
{
    size_t place = line_open();

    wire_put_field(&stored, LINE_NAME, name, strlen(name));
    wire_put_uint_field(&stored, LINE_UNIT, unit);
    wire_put_uint_field(&stored, LINE_QUANTITY, quantity);
    wire_close_field(&stored, place);
}

/* What is stored now must be refused; the next one starts from nothing. */
static void refused(const char *what)
{
    struct bar_tab t = {.turn_count = 77};
    struct err e = {0};

    if (decode(&t, &e) || e.code != ERR_CORRUPT || t.turn_count != 77) {
        printf("# taken: %s\n", what);
        tap_failures++;
    }
    buf_clear(&stored);
}

static void test_bad_lines(void)
{
    char long_text[BAR_MODIFIERS_MAX + 1];
    size_t place;

    begin();
    memset(long_text, 'x', sizeof(long_text));
    long_text[BAR_NAME_MAX] = '\0';
    put_line("", 100, 1);
    refused("no name");
    put_line(long_text, 100, 1);
    refused("a long name");
    put_line("\xff", 100, 1);
    refused("a name that is not UTF-8");
    put_line("Gin", 100, 0);
    refused("quantity 0");
    put_line("Gin", 100, 101);
    refused("quantity 101");
    put_line("Gin", UNIT_MAX + 1, 1);
    refused("too dear");
    put_line("Gin", UINT64_MAX, 1);
    refused("dearer than any number");
    put_line("Gin", 1001, 100);
    refused("more than there is money");
    place = line_open();
    wire_put_field(&stored, LINE_NAME, "G\0n", 3);
    wire_put_uint_field(&stored, LINE_QUANTITY, 1);
    wire_close_field(&stored, place);
    refused("a zero byte in a name");
    long_text[BAR_NAME_MAX] = 'x';
    place = line_open();
    wire_put_field(&stored, LINE_NAME, "Gin", 3);
    wire_put_field(&stored, LINE_MODIFIERS, long_text, BAR_MODIFIERS_MAX);
    wire_put_uint_field(&stored, LINE_QUANTITY, 1);
    wire_close_field(&stored, place);
    refused("long modifiers");
    for (int i = 0; i <= BAR_LINES_MAX; i++)
        put_line("Gin", 1, 1);
    refused("65 lines");
    wire_put_field(&stored, TAG_LINE, "\x01\x7f", 2);
    refused("a line that ends too early");
    end();
}

static void test_bad_fields(void)
{
    static const struct {
        enum tag tag;
        uint64_t value;
    } rows[] = {
        {TAG_PLACED, 2},
        {TAG_TIP_KIND, 3},
        {TAG_TIP_KIND, BAR_TIP_PERCENT}, /* without a value */
        {TAG_TIP_VALUE, 5},              /* without a kind */
        {TAG_PAID, BAR_START_CENTS + 1},
        {TAG_PAYMENT, BAR_PAYMENT__COUNT},
        {TAG_LAST_PAID, 1}, /* more than was ever paid */
        {TAG_LAST_TIP, 1},
        {TAG_PHASE, BAR_PHASE__COUNT},
        {TAG_TURN_COUNT, (uint64_t)INT32_MAX + 1},
        {TAG_SMALL_TALK, UINT64_MAX},
        {TAG_LAST_ORDER, 1}, /* in a turn that is still to come */
    };

    begin();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char what[40];
        snprintf(what, sizeof(what), "row %zu", i);
        wire_put_uint_field(&stored, (uint8_t)rows[i].tag, rows[i].value);
        refused(what);
    }
    wire_put_uint_field(&stored, TAG_TIP_KIND, BAR_TIP_PERCENT);
    wire_put_uint_field(&stored, TAG_TIP_VALUE, 10001);
    refused("a tip of more than all");
    wire_put_field(&stored, TAG_TX, "0x12", 4);
    refused("a short hash");
    wire_put_field(&stored, TAG_TX,
                   "0xZZ00000000000000000000000000000000000000000000000000000000000000", 66);
    refused("a hash of other letters");
    wire_put_field(&stored, TAG_PAID, "\x01\x01", 2);
    refused("a number and more");
    buf_str(&stored, "\x05");
    refused("a field without a length");
    end();
}

static void test_cut_short(void)
{
    struct bar_tab t;
    struct err e;
    size_t whole;

    begin();
    CHECK_INT(bar_add(&f.tab, &f.region, bar_menu_find(f.menu, "gin"), "neat", 2), BAR_OK);
    f.tab.turn_count = 300;
    bar_tab_encode(&f.tab, &stored);
    whole = stored.len;
    for (stored.len = 0; stored.len < whole; stored.len++)
        if (decode(&t, &e)) /* only a cut between two fields may be taken */
            CHECK(t.turn_count == 0 && t.line_count <= 1);
    CHECK(decode(&t, &e));
    CHECK(same_tab(&f.tab, &t));
    end();
}

static void test_no_memory(void)
{
    struct budget b;
    struct region r;
    struct bar_tab t = {.turn_count = 77};
    struct err e;
    int taken = 0;

    begin();
    for (int i = 0; i < 40; i++) {
        char mods[16];
        snprintf(mods, sizeof(mods), "m%d", i);
        CHECK_INT(bar_add(&f.tab, &f.region, bar_menu_find(f.menu, "water"), mods, 1), BAR_OK);
    }
    bar_tab_encode(&f.tab, &stored);
    for (size_t limit = 1; limit < 16384 && !taken; limit += 128) {
        budget_init(&b, limit, NULL);
        region_init(&r, &b, 256);
        if (bar_tab_decode(&t, &r, stored.data, stored.len, &e) == 0) {
            taken++;
            CHECK(same_tab(&f.tab, &t));
            CHECK(limit > 40 * sizeof(struct bar_line));
        } else {
            CHECK_INT(e.code, ERR_SESSION_MEMORY);
            CHECK_INT(t.turn_count, 77);
        }
        CHECK(b.used <= limit);
        region_release(&r);
    }
    CHECK_INT(taken, 1);
    end();
}

static void test_full_buf(void)
{
    struct buf small = BUF_INIT;

    begin();
    CHECK_INT(bar_add(&f.tab, &f.region, bar_menu_find(f.menu, "gin"), "neat", 2), BAR_OK);
    small.max = 8;
    bar_tab_encode(&f.tab, &small);
    CHECK(small.full);
    buf_release(&small);
    end();
}

static const struct tap_case cases[] = {
    {"an empty tab is no bytes", test_empty},
    {"every field comes back", test_round_trip},
    {"what a newer version wrote is skipped", test_unknown_tags},
    {"lines that break a rule are refused", test_bad_lines},
    {"fields that break a rule are refused", test_bad_fields},
    {"a cut text never gives a wrong tab", test_cut_short},
    {"no memory is told as such", test_no_memory},
    {"a full buf is seen", test_full_buf},
};

TAP_MAIN(cases)
