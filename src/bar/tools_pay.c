/* Tools that work on money: balance, tip, bill, payment. */
#include "bar/tool_int.h"

#include "base/buf.h"

#include <stdio.h>
#include <string.h>

#define NETWORK_URL "https://sepolia.basescan.org/tx/"

void bar__get_balance(struct bar__call *c)
{
    bar__put_amounts(c);
}

/* Per cent as a number, or null when there is none or the tip is an amount. */
static void put_percentage(struct bar__call *c)
{
    const struct bar_tab *t = c->g->tab;

    if (t->tip_kind != BAR_TIP_PERCENT)
        bar__put(c, "tip_percentage", json_null());
    else if (t->tip_value % 100 == 0)
        bar__put(c, "tip_percentage", json_integer(t->tip_value / 100));
    else
        bar__put(c, "tip_percentage", json_real((double)t->tip_value / 100.0));
}

void bar__set_tip(struct bar__call *c)
{
    struct bar_tab *t = c->g->tab;
    int64_t wanted = bar__arg(c, "percentage")->number;
    enum bar_outcome o;

    /* The button that is already pressed is let go. */
    if (t->tip_kind == BAR_TIP_PERCENT && t->tip_value == wanted)
        wanted = 0;
    o = bar_tip_percent(t, wanted);
    MUST(o == BAR_OK);
    put_percentage(c);
    bar__put_amounts(c);
}

void bar__get_tip(struct bar__call *c)
{
    put_percentage(c);
    bar__put_amounts(c);
}

void bar__add_tip(struct bar__call *c)
{
    struct bar_tab *t = c->g->tab;
    int64_t percent = bar__arg(c, "percentage")->number, amount = bar__arg(c, "amount")->number;
    char tip[24], total[24], shown[16];
    enum bar_outcome o;

    if (t->line_count == 0) {
        if (t->payment == BAR_COMPLETED)
            bar__refuse(c, BAR_ALREADY_PAID, NULL);
        else
            bar__refuse_text(c, BAR_EMPTY_ORDER,
                             "You haven't ordered anything yet, so there's nothing to tip on.");
        return;
    }
    o = percent ? bar_tip_percent(t, percent) : bar_tip_amount(t, amount);
    if (o == BAR_INSUFFICIENT_FUNDS) {
        bar__refuse_funds(c, "tip is", amount);
        return;
    }
    MUST(o == BAR_OK); /* the table of kinds has the same bounds */
    bar_money(bar_tip_cents(t), tip);
    bar_money(bar_tab_cents(t) + bar_tip_cents(t), total);
    bar__percent_text(percent, shown);
    if (percent)
        bar__put_text(c, "text", "Added a %s%% tip (%s) to your bill. New total: %s", shown,
                      tip, total);
    else if (amount)
        bar__put_text(c, "text", "Added a %s tip to your bill. New total: %s", tip, total);
    else
        bar__put_text(c, "text", "There is no tip on your bill now. New total: %s", total);
    put_percentage(c);
    bar__put_amounts(c);
}

static void bill_lines(const struct bar_tab *t, struct buf *out)
{
    for (int i = 0; i < t->line_count; i++) {
        const struct bar_line *line = &t->lines[i];
        char unit[24], whole[24];
        bar_money(line->unit_cents, unit);
        bar_money(line->unit_cents * line->quantity, whole);
        bar__line_text(line, out);
        if (line->quantity > 1)
            buf_printf(out, ": %s each = %s\n", unit, whole);
        else
            buf_printf(out, ": %s\n", unit);
    }
}

static void bill_text(const struct bar_tab *t, struct buf *out)
{
    int64_t tab = bar_tab_cents(t), tip = bar_tip_cents(t);
    char subtotal[24], tip_text[24], total[24], percent[16];

    bar_money(tab, subtotal);
    bar_money(tip, tip_text);
    bar_money(tab + tip, total);
    buf_str(out, "Your bill:\n");
    bill_lines(t, out);
    if (tip == 0) {
        buf_printf(out, "\nTotal: %s", total);
        return;
    }
    buf_printf(out, "\nSubtotal: %s\nTip", subtotal);
    if (t->tip_kind == BAR_TIP_PERCENT) {
        bar__percent_text(t->tip_value, percent);
        buf_printf(out, " (%s%%)", percent);
    }
    buf_printf(out, ": %s\nTotal: %s", tip_text, total);
}

static const char already_paid[] = "Your bill has already been paid. Thank you!";
static const char nothing_ordered[] = "You haven't ordered anything yet.";

void bar__get_bill(struct bar__call *c)
{
    const struct bar_tab *t = c->g->tab;
    struct buf b = BUF_INIT;

    if (t->line_count == 0)
        buf_str(&b, t->payment == BAR_COMPLETED ? already_paid : nothing_ordered);
    else
        bill_text(t, &b);
    if (b.full)
        c->full = true;
    bar__put(c, "text", json_string(buf_text(&b)));
    buf_release(&b);
    bar__put_items(c);
    put_percentage(c);
    bar__put_amounts(c);
}

/* What both payments do: take tab and tip, and put the receipt. False when refused. */
static bool pay(struct bar__call *c)
{
    struct bar_tab *t = c->g->tab;
    int64_t tip = bar_tip_cents(t);
    enum bar_outcome o;

    bar__put_items(c); /* what is paid; it is gone from the order afterwards */
    o = bar_pay(t, c->g->region, c->seed);
    if (o == BAR_INSUFFICIENT_FUNDS)
        bar__refuse_funds(c, "tip is", tip);
    else if (o != BAR_OK)
        bar__refuse(c, o, NULL);
    if (o != BAR_OK)
        return false;
    bar__put_money(c, "paid", t->last_paid_cents);
    bar__put_money(c, "paid_tip", t->last_tip_cents);
    bar__put(c, "tx_hash", json_string(t->tx));
    bar__put_text(c, "url", "%s%s", NETWORK_URL, t->tx);
    bar__put(c, "is_simulated", json_true());
    bar__put_amounts(c);
    return true;
}

void bar__process_crypto_payment(struct bar__call *c)
{
    pay(c);
}

void bar__pay_bill(struct bar__call *c)
{
    const struct bar_tab *t = c->g->tab;
    char paid[24], tip[24], with_tip[48] = "";

    if (t->line_count == 0) {
        if (t->payment == BAR_COMPLETED)
            bar__refuse_text(c, BAR_ALREADY_PAID, "%s", already_paid);
        else
            bar__refuse_text(c, BAR_NOTHING_TO_PAY, "%s", nothing_ordered);
        return;
    }
    if (!pay(c))
        return;
    bar_money(t->last_paid_cents, paid);
    bar_money(t->last_tip_cents, tip);
    if (t->last_tip_cents)
        snprintf(with_tip, sizeof(with_tip), " (including %s tip)", tip);
    bar__put_text(c, "text",
                  "Thank you for your payment of %s%s! We hope you enjoyed your drinks at %s.",
                  paid, with_tip, bar_menu_house(c->g->menu));
}
