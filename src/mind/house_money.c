/* The bill, the tip, the balance, and paying. */
#include "mind/house_int.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

struct money {
    char tab[24], tip[24], total[24], balance[24], percent[24];
};

static void read_money(struct ctx *c, struct money *m)
{
    const struct bar_tab *t = c->tab;

    bar_money(bar_tab_cents(t), m->tab);
    bar_money(bar_tip_cents(t), m->tip);
    bar_money(bar_tab_cents(t) + bar_tip_cents(t), m->total);
    bar_money(bar_balance_cents(t), m->balance);
    m->percent[0] = '\0';
    if (t->tip_kind == BAR_TIP_PERCENT) {
        if (t->tip_value % 100)
            snprintf(m->percent, sizeof(m->percent), "%g%%", (double)t->tip_value / 100);
        else
            snprintf(m->percent, sizeof(m->percent), "%d%%", (int)(t->tip_value / 100));
    }
}

static void bill(struct ctx *c)
{
    struct money m;
    struct reply r;
    struct buf items;

    if (c->tab->line_count == 0) {
        bar_money(c->tab->paid_cents, m.total);
        if (c->tab->paid_cents)
            house__say(c, OC_spent, "total", m.total, NULL);
        else
            house__say(c, OC_bill_empty, NULL);
        return;
    }
    if (!house__tool_plain(c, "get_bill", &r))
        return;
    read_money(c, &m);
    house__say_buf(c, &items);
    house__say_lines(c, &items);
    if (bar_tip_cents(c->tab))
        house__say(c, OC_bill_tip, "items", buf_text(&items), "tab", m.tab, "tip", m.tip,
                   "total", m.total, "percent", m.percent[0] ? m.percent : m.tip, NULL);
    else
        house__say(c, OC_bill, "items", buf_text(&items), "tab", m.tab, NULL);
    c->memo.pending = PEND_PAY;
    c->asked = true;
}

static void pay(struct ctx *c)
{
    struct money m;
    struct reply r;
    int64_t tip = bar_tip_cents(c->tab);

    read_money(c, &m);
    if (c->tab->line_count == 0) {
        if (c->tab->last_paid_cents > 0) {
            bar_money(c->tab->last_paid_cents, m.total);
            house__say(c, OC_paid_already, "total", m.total, NULL);
        } else {
            house__say(c, OC_pay_empty, NULL);
        }
        return;
    }
    if (!house__tool_plain(c, "pay_bill", &r))
        return;
    if (!r.ok) {
        house__say(c, OC_pay_refused, "message", r.message, NULL);
        return;
    }
    bar_money(c->tab->last_paid_cents, m.total);
    bar_money(bar_balance_cents(c->tab), m.balance);
    if (tip)
        house__say(c, OC_paid_tip, "total", m.total, "tip", m.tip, "balance", m.balance, NULL);
    else
        house__say(c, OC_paid, "total", m.total, "balance", m.balance, NULL);
    house__touch_reset(c);
    c->memo.touched_count = 0;
    c->memo.last_act = ACT_PAY;
    c->memo.pending = PEND_NONE;
    c->memo.shown_count = 0;
    c->asked = true; /* nothing more to ask */
}

static json_t *one(const char *key, json_t *value)
{
    json_t *o = json_object();

    if (!o || json_object_set_new(o, key, value) < 0) {
        json_decref(o);
        return NULL;
    }
    return o;
}

/* Ask for a tip by `key` of the tool; what came of it is told as `told`. */
static bool give_tip(struct ctx *c, const char *key, int64_t hundredths, enum occasion told)
{
    struct reply r;
    struct money m;

    if (!house__tool_call(c, "add_tip", one(key, json_real((double)hundredths / 100)), &r))
        return false;
    c->memo.last_act = ACT_TIP;
    c->memo.pending = PEND_MORE;
    if (!r.ok) {
        house__say(c, OC_tool_no, "message", r.message, NULL);
        return true;
    }
    read_money(c, &m);
    if (told == OC_tip_percent)
        house__say(c, told, "percent", m.percent, "tip", m.tip, "total", m.total, NULL);
    else
        house__say(c, told, "tip", m.tip, "total", m.total, NULL);
    return true;
}

static bool percent_tip(struct ctx *c, int64_t x100)
{
    return give_tip(c, "percentage", x100, OC_tip_percent);
}

static bool amount_tip(struct ctx *c, int64_t cents)
{
    return give_tip(c, "amount", cents, OC_tip_amount);
}

static void no_tip(struct ctx *c)
{
    struct reply r;
    struct money m;

    if (c->tab->tip_kind == BAR_TIP_NONE) {
        house__say(c, OC_tip_none_already, NULL);
        return;
    }
    if (!house__tool_call(c, "set_tip", json_object(), &r))
        return;
    c->memo.last_act = ACT_TIP;
    if (!r.ok) {
        house__say(c, OC_tool_no, "message", r.message, NULL);
        return;
    }
    read_money(c, &m);
    house__say(c, OC_tip_none, "tab", m.tab, NULL);
}

/* The amount that a clause names: per cent first, then money, then a bare number. */
static const struct el *amount_of(const struct clause *cl)
{
    const struct el *best = NULL;

    for (size_t i = 0; i < cl->n; i++)
        if (cl->e[i].kind == EL_PCT)
            best = &cl->e[i];
    for (size_t i = 0; i < cl->n && !best; i++)
        if (cl->e[i].kind == EL_MONEY)
            best = &cl->e[i];
    for (size_t i = 0; i < cl->n && !best; i++)
        if (cl->e[i].kind == EL_NUM && !cl->e[i].weak)
            best = &cl->e[i];
    return best;
}

static bool has_word(const struct clause *cl, const char *z)
{
    for (size_t i = 0; i < cl->n; i++)
        if (cl->e[i].len == strlen(z) && memcmp(cl->e[i].text, z, cl->e[i].len) == 0)
            return true;
    return false;
}

static void tip(struct ctx *c, struct clause *cl)
{
    const struct el *a = amount_of(cl);
    bool more = has_word(cl, "another") || has_word(cl, "more") || has_word(cl, "extra");

    if (c->tab->line_count == 0) {
        house__say(c, OC_tip_empty, NULL);
        return;
    }
    if (!a && (has_word(cl, "double") || has_word(cl, "half") || has_word(cl, "halve") ||
               has_word(cl, "triple"))) {
        int64_t now = bar_tip_cents(c->tab);

        now = has_word(cl, "double") ? now * 2 : has_word(cl, "triple") ? now * 3 : now / 2;
        if (now > 0) {
            amount_tip(c, now);
            return;
        }
    }
    if (!a && (has_word(cl, "change") || has_word(cl, "rest"))) {
        int64_t tab = bar_tab_cents(c->tab), even = (tab + 499) / 500 * 500;

        /* no notes are on the counter, so the change is what is missing to the next five */
        if (even > tab) {
            amount_tip(c, even - tab);
            return;
        }
    }
    if (!a) {
        house__say(c, OC_tip_how_much, NULL);
        c->memo.pending = PEND_TIP;
        c->asked = true;
        return;
    }
    if (a->kind == EL_PCT)
        percent_tip(c, a->value);
    else if (a->kind == EL_MONEY)
        amount_tip(c, a->value + (more ? bar_tip_cents(c->tab) : 0));
    else if (c->tab->tip_kind == BAR_TIP_AMOUNT && c->memo.last_act == ACT_TIP && c->fresh)
        amount_tip(c, (int64_t)a->value * 100); /* "ten bucks" ... "make it fifteen" */
    else if (a->value == 10 || a->value == 12 || a->value == 15 || a->value == 18 ||
             a->value == 20 || a->value == 22 || a->value == 25)
        percent_tip(c, (int64_t)a->value * 100); /* "tip 15" is what people say for per cent */
    else if (a->value == 0)
        no_tip(c);
    else
        amount_tip(c, (int64_t)a->value * 100);
}

static void round_up(struct ctx *c, struct clause *cl)
{
    const struct el *a = amount_of(cl);
    int64_t tab = bar_tab_cents(c->tab), to, step = 500;

    if (c->tab->line_count == 0) {
        house__say(c, OC_tip_empty, NULL);
        return;
    }
    if (has_word(cl, "nearest") || !a) {
        if (a)
            step = a->kind == EL_MONEY ? a->value : (int64_t)a->value * 100;
        else if (has_word(cl, "dollar"))
            step = 100;
        if (step < 1)
            step = 500;
        to = (tab + step) / step * step;
    } else {
        to = a->kind == EL_MONEY ? a->value : (int64_t)a->value * 100;
    }
    if (to < tab && a && a->kind == EL_NUM) { /* "make it five altogether" is about drinks */
        house__act_quantity(c, cl);
        return;
    }
    if (to < tab) {
        char text[24];

        bar_money(tab, text);
        house__say(c, OC_tip_too_low, "tab", text, NULL);
        return;
    }
    if (to == tab)
        no_tip(c);
    else
        amount_tip(c, to - tab);
}

static void tip_ask(struct ctx *c, struct clause *cl)
{
    const struct el *a = amount_of(cl);
    char tip[24], percent[24];

    if (!a || a->kind != EL_PCT || c->tab->line_count == 0) {
        house__say(c, OC_tip_advice, NULL);
        if (c->tab->line_count)
            c->memo.pending = PEND_TIP;
        return;
    }
    bar_money((bar_tab_cents(c->tab) * a->value + 5000) / 10000, tip);
    snprintf(percent, sizeof(percent), "%d%%", a->value / 100);
    house__say(c, OC_tip_would_be, "percent", percent, "tip", tip, NULL);
    if (a->value % 100 == 0 && a->value <= 10000) {
        c->memo.pending = PEND_TIP_OFFER;
        c->memo.offer = (uint8_t)(a->value / 100);
    }
}

bool house__names_drink(const struct clause *cl)
{
    for (size_t i = 0; i < cl->n; i++)
        if (cl->e[i].kind == EL_ITEM || cl->e[i].kind == EL_CAT)
            return true;
    return false;
}

static void split(struct ctx *c, struct clause *cl)
{
    const struct el *a = amount_of(cl);
    int n = c->group > 1 ? c->group : 2;
    struct money m;
    struct buf count;
    char each[24];

    if (c->tab->line_count == 0) {
        house__say(c, OC_bill_empty, NULL);
        return;
    }
    if (a && a->kind == EL_NUM && a->value > 1 && a->value < 1000)
        n = a->value;
    read_money(c, &m);
    if (house__names_drink(cl)) { /* "can they pay for the Negronis?" */
        house__say(c, OC_pay_part, "total", m.total, NULL);
        return;
    }
    bar_money((bar_tab_cents(c->tab) + bar_tip_cents(c->tab) + n - 1) / n, each);
    house__say_buf(c, &count);
    house__number_text(n, &count);
    house__say(c, OC_split, "count", buf_text(&count), "price", each, "total", m.total, NULL);
}

static void paid_ask(struct ctx *c)
{
    struct money m;

    read_money(c, &m);
    if (c->tab->line_count)
        house__say(c, OC_not_paid_yet, "total", m.total, NULL);
    else if (c->tab->last_paid_cents) {
        bar_money(c->tab->last_paid_cents, m.total);
        house__say(c, OC_paid_already, "total", m.total, NULL);
    } else
        house__say(c, OC_bill_empty, NULL);
}

/* "Let me pay. Wait, not yet": nothing is taken that was called back in the same breath. */
static bool called_back(struct ctx *c, const struct clause *cl)
{
    const struct house *h = c->h;
    const struct clause *next = cl + 1, *end = c->clauses + c->clause_count;
    bool back = false;

    for (; next < end; next++) {
        if (next->intent == IN_PAY)
            return false;
        back |= next->intent == IN_NEGATE || next->intent == IN_UNDO || next->intent == IN_NO ||
                (next->intent == IN_TALK && next->talk == OC_T_PAY_LATER);
        for (size_t i = 0; i < next->n; i++)
            back |= IS(&next->e[i], wait);
    }
    return back;
}

static void pay_clause(struct ctx *c, struct clause *cl)
{
    struct money m;

    if (c->tab->line_count && called_back(c, cl)) {
        read_money(c, &m);
        house__say(c, OC_pay_waits, "total", m.total, NULL);
        c->asked = true;
        return;
    }
    /* "pay, and five dollars for you": the tip belongs to this payment */
    for (struct clause *next = cl + 1; next < c->clauses + c->clause_count; next++)
        if (next->intent == IN_TIP && !c->refused) {
            tip(c, next);
            next->intent = IN_FIX;
        }
    if (!c->refused)
        pay(c);
}

void house__act_money(struct ctx *c, struct clause *cl)
{
    struct money m;
    struct reply r;

    c->did = true;
    switch (cl->intent) {
    case IN_BILL:
    case IN_HOW_MUCH:
        bill(c);
        break;
    case IN_PAY:
        pay_clause(c, cl);
        break;
    case IN_PAID_ASK:
        paid_ask(c);
        break;
    case IN_SPLIT:
        split(c, cl);
        break;
    case IN_BALANCE:
        if (!house__tool_plain(c, "get_balance", &r))
            return;
        read_money(c, &m);
        house__say(c, OC_balance, "balance", m.balance, "tab", m.tab, NULL);
        break;
    case IN_TIP:
        tip(c, cl);
        break;
    case IN_TIP_NONE:
        if (cl->question) /* "and without the tip?" */
            bill(c);
        else
            no_tip(c);
        break;
    case IN_YES: /* to "20% would be ..." */
        if (c->tab->line_count)
            percent_tip(c, (int64_t)c->memo.offer * 100);
        break;
    case IN_TIP_ASK:
        tip_ask(c, cl);
        break;
    case IN_TIP_SHOW:
        read_money(c, &m);
        bar_money(c->tab->last_tip_cents, m.total);
        if (c->tab->line_count == 0 && c->tab->last_tip_cents)
            house__say(c, OC_tip_paid, "tip", m.total, NULL);
        else if (c->tab->tip_kind == BAR_TIP_NONE)
            house__say(c, OC_tip_none_already, NULL);
        else
            house__say(c, OC_tip_now, "tip", m.tip, "percent", m.percent[0] ? m.percent : m.tip,
                       NULL);
        break;
    case IN_ROUND_UP:
        round_up(c, cl);
        break;
    default:
        break;
    }
}
