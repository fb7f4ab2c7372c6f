/*
 * What is decoded into a tab is believed by everything above it. Whatever the bytes: decoding
 * ends, what it accepts keeps the ledger's rules, and encoding that gives the same tab again.
 */
#include "bar/bar.h"
#include "base/buf.h"
#include "base/must.h"
#include "base/strs.h"
#include "memory/memory.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct bar_tab *t)
{
    MUST(bar_balance_cents(t) >= 0);
    MUST(bar_tip_cents(t) >= 0);
    MUST(bar_balance_cents(t) + bar_tab_cents(t) + t->paid_cents == BAR_START_CENTS);
    MUST(t->line_count >= 0 && t->line_count <= BAR_LINES_MAX);
    for (int i = 0; i < t->line_count; i++) {
        const struct bar_line *line = &t->lines[i];
        MUST(line->name[0] && memchr(line->name, '\0', sizeof(line->name)));
        MUST(memchr(line->modifiers, '\0', sizeof(line->modifiers)));
        MUST(line->quantity >= 1 && line->quantity <= BAR_QUANTITY_MAX);
    }
    MUST(strlen(t->tx) == 0 || strlen(t->tx) == 66);
    MUST(t->drink_count >= 0 && t->drink_count <= BAR_DRINKS_MAX && t->other_drinks >= 0);
    for (int i = 0; i < t->drink_count; i++)
        MUST(t->drinks[i].name[0] && t->drinks[i].count >= 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct budget budget;
    struct region region;
    struct bar_tab t, again;
    struct buf first = BUF_INIT, second = BUF_INIT;

    budget_init(&budget, (size_t)64 * 1024, NULL);
    region_init(&region, &budget, 0);
    if (bar_tab_decode(&t, &region, data, size, NULL) == 0) {
        check(&t);
        bar_tab_encode(&t, &first);
        int rc = bar_tab_decode(&again, &region, first.data, first.len, NULL);
        MUST(rc == 0);
        check(&again);
        bar_tab_encode(&again, &second);
        MUST(first.len == second.len &&
             (first.len == 0 || memcmp(first.data, second.data, first.len) == 0));
        enum bar_outcome o = bar_pay(&t, &region, 1);
        MUST(o == BAR_OK || o == BAR_NOTHING_TO_PAY || o == BAR_INSUFFICIENT_FUNDS ||
             o == BAR_PAYMENT_REFUSED || o == BAR_MEMORY);
        check(&t);
        buf_clear(&first);
        bar_ordered_text(&t, &first);
        MUST(utf8_valid_prefix(first.data, first.len) == first.len);
    }
    buf_release(&first);
    buf_release(&second);
    region_release(&region);
    return 0;
}
