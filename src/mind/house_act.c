/* What a clause does: answers to Maya's own question first, then the intent's own act. */
#include "mind/house_int.h"

#include <string.h>

static bool is_business(const struct clause *cl)
{
    return cl->intent != IN_TALK && cl->intent != IN_NONE && cl->intent != IN_FIX &&
           cl->intent != IN_YES && cl->intent != IN_NO && cl->intent != IN_DONE;
}

bool house__other_business(struct ctx *c, const struct clause *cl)
{
    for (size_t i = 0; i < c->clause_count; i++)
        if (&c->clauses[i] != cl && is_business(&c->clauses[i]))
            return true;
    return false;
}

/* Nothing else was said but small words. */
bool house__alone(struct ctx *c, const struct clause *cl)
{
    for (size_t i = 0; i < c->clause_count; i++)
        if (&c->clauses[i] != cl && c->clauses[i].intent == IN_NONE)
            return false;
    return !house__other_business(c, cl);
}

/* "Place it": the order goes to the bar, when there is one. */
void house__done_ordering(struct ctx *c)
{
    struct reply r;
    struct buf items;
    char tab[24];

    if (c->tab->line_count == 0) {
        house__say(c, OC_done_empty, NULL);
        c->asked = true;
        return;
    }
    house__say_flush(c);
    if (!c->tab->placed && !house__tool_plain(c, "place_order", &r))
        return;
    c->memo.pending = PEND_NONE;
    if (c->acted && c->said.len) {
        c->asked = true;
        return;
    }
    house__say_buf(c, &items);
    house__say_lines(c, &items);
    bar_money(bar_tab_cents(c->tab), tab);
    house__say(c, OC_done_order, "items", buf_text(&items), "tab", tab, NULL);
    c->asked = true;
}

/* A number with only small words around it: "make it 20 then", but not "100% sure". */
static bool enough_said(struct ctx *c, const struct clause *cl)
{
    return house__other_business(c, cl) &&
           !(cl->talk == OC_T_ROUGH_DAY || cl->talk == OC_T_CELEBRATE || cl->talk == OC_T_AI ||
             cl->talk == OC_T_JOKE || cl->talk == OC_T_WEATHER || cl->talk == OC_T_HOURS ||
             cl->talk == OC_T_FOOD || cl->talk == OC_T_WIFI || cl->talk == OC_T_TOILET ||
             cl->talk == OC_T_WHO || cl->talk == OC_T_MEANING || cl->talk == OC_T_HIM ||
             cl->talk == OC_T_OFFER_HER || cl->talk == OC_T_TRICK ||
             cl->talk == OC_T_COMPLAINT);
}

static void talk(struct ctx *c, struct clause *cl)
{
    char total[24];
    size_t before = 0;

    for (size_t i = 0; &c->clauses[i] != cl; i++)
        before += c->clauses[i].handled;
    if (enough_said(c, cl) || before >= 2)
        return;
    /* a greeting or a thank-you beside other talk needs no answer of its own */
    if ((cl->talk == OC_T_GREETING || cl->talk == OC_T_THANKS || cl->talk == OC_T_LAUGH ||
         cl->talk == OC_T_SWEAR) &&
        c->clause_count > 1)
        for (size_t i = 0; i < c->clause_count; i++)
            if (&c->clauses[i] != cl && c->clauses[i].intent == IN_TALK &&
                c->clauses[i].talk != cl->talk)
                return;
    cl->handled = true;
    if (house__recall(c, cl))
        return;
    if (cl->talk == OC_T_GREETING) {
        if (c->memo.greeted)
            house__say(c, OC_T_GREETING_AGAIN, NULL);
        else
            house__say(c, OC_T_GREETING, "house", bar_menu_house(c->h->menu), NULL);
        c->memo.greeted = 1;
        c->asked = true;
    } else if (cl->talk == OC_T_BYE && c->tab->line_count) {
        bar_money(bar_tab_cents(c->tab) + bar_tip_cents(c->tab), total);
        house__say(c, OC_T_BYE_OPEN, "total", total, NULL);
        c->memo.pending = PEND_PAY;
        c->did = true;
    } else if (cl->talk == OC_T_WHO || cl->talk == OC_T_WHERE) {
        house__say(c, cl->talk, "house", bar_menu_house(c->h->menu), NULL);
    } else {
        house__say(c, cl->talk, NULL);
    }
}

static void unknown(struct ctx *c, struct clause *cl)
{
    int item = -1;

    for (size_t i = 0; i < cl->n && item < 0; i++) {
        if (cl->e[i].kind == EL_ITEM)
            item = cl->e[i].value;
        if (cl->e[i].kind == EL_OFF && !house__other_business(c, cl)) {
            house__off_menu_say(c, cl->e[i].value);
            return;
        }
    }
    if (item < 0)
        return; /* house.c says that nothing was understood, when nothing was */
    c->memo.shown_count = 0;
    house__show_item(c, item);
    house__say(c, OC_unknown_drink, "item", c->h->items[item].name, NULL);
    c->memo.pending = PEND_OFFER;
    c->memo.last_act = ACT_ASK;
    c->asked = c->did = true;
}

static void surprise(struct ctx *c, struct clause *cl)
{
    house__act_ask(c, cl);
    if (c->memo.shown_count > 1) { /* one, so that "I'll take it" is plain */
        c->memo.shown[0] = c->memo.shown[(c->rng >> 20) % c->memo.shown_count];
        c->memo.shown_count = 1;
    }
}

static void answer_no(struct ctx *c, struct clause *cl)
{
    if (!house__alone(c, cl) || c->said.len)
        return;
    c->memo.pending = PEND_NONE;
    house__say(c, OC_let_it_be, NULL);
}

static void answer_yes(struct ctx *c, struct clause *cl)
{
    if (house__other_business(c, cl) || c->said.len)
        return;
    house__say(c, c->memo.pending == PEND_MORE && c->fresh ? OC_want_one : OC_yes_what, NULL);
    c->asked = true;
}

/* "scratch that, make it a gin": what follows says what instead. */
static bool changes_follow(struct ctx *c, const struct clause *cl)
{
    const struct clause *next = cl + 1;

    for (; next < c->clauses + c->clause_count; next++)
        if (next->intent != IN_FIX && next->intent != IN_NO)
            return next->intent == IN_MAKE || next->intent == IN_MEANT ||
                   next->intent == IN_REPLACE || next->intent == IN_MODIFY;
    return false;
}

/* "Just one beer": a correction when beer was what the last act added. */
static bool just_added(struct ctx *c, const struct clause *cl)
{
    for (size_t i = 0; i < cl->n && (c->fresh || c->acted) && c->memo.last_act == ACT_ADD; i++)
        for (size_t k = 0; k < c->memo.touched_count && cl->e[i].kind == EL_ITEM; k++)
            if (c->memo.touched[k].item == cl->e[i].value + 1)
                return true;
    return false;
}

static bool for_somebody(const struct house *h, const struct clause *cl)
{
    for (size_t i = 0; i + 1 < cl->n; i++)
        if (IS(&cl->e[i], for_) && (IS(&cl->e[i + 1], me) || IS(&cl->e[i + 1], him) ||
                                    IS(&cl->e[i + 1], her) || IS(&cl->e[i + 1], my)))
            return true;
    return false;
}

static bool on_order(struct ctx *c, struct clause *cl)
{
    struct wishes ws;
    int lines[BAR_LINES_MAX];

    house__parse_wishes(c->h, cl->e, cl->n, &ws);
    return ws.count && ws.w[0].kind == WISH_ITEM && ws.w[0].the &&
           house__lines_of(c, &ws.w[0], lines, BAR_LINES_MAX);
}

static void negated(struct ctx *c, struct clause *cl)
{
    struct wishes ws;
    int lines[BAR_LINES_MAX];

    c->did = true;
    if (changes_follow(c, cl)) /* "not the daiquiri, the cosmo" */
        return;
    house__parse_wishes(c->h, cl->e, cl->n, &ws);
    for (size_t i = 0; i < ws.count; i++)
        if (ws.w[i].kind == WISH_ITEM && house__lines_of(c, &ws.w[i], lines, BAR_LINES_MAX) &&
            (cl->fix || ws.w[i].the || for_somebody(c->h, cl) || just_added(c, cl)) &&
            !ws.w[i].more) {
            /* "no, wait: no beer", "not the beer", "no shot for her" */
            if (!ws.w[i].the && !ws.w[i].qty && for_somebody(c->h, cl))
                ws.w[i].qty = 1;
            house__act_remove_wish(c, &ws.w[i]);
            return;
        }
    if (house__other_business(c, cl))
        return;
    if (ws.count && ws.w[0].kind == WISH_ITEM)
        house__say(c, OC_not_added_item, "item", c->h->items[ws.w[0].value].name, NULL);
    else
        house__say(c, OC_not_added, NULL);
}

static void meant(struct ctx *c, struct clause *cl)
{
    if (cl->only && !cl->denied && !just_added(c, cl))
        house__act_order(c, cl);
    else if (!house__act_correct(c, cl))
        house__act_quantity(c, cl);
}

static void put_back(struct ctx *c, struct clause *cl)
{
    (void)cl;
    house__act_put_back(c);
}

/* "Let's not do the Long Island" takes it off; "I don't like beer" is a taste. */
static void dislikes(struct ctx *c, struct clause *cl)
{
    if (on_order(c, cl))
        house__act_remove(c, cl);
    else
        house__act_ask(c, cl);
}

static void undo(struct ctx *c, struct clause *cl)
{
    if (changes_follow(c, cl))
        return;
    /* "they want to switch ... no, never mind": that was taken back, not what stands */
    for (const struct clause *k = c->clauses; k < cl && !c->acted; k++)
        if (k->intent == IN_NONE || is_business(k)) {
            house__say(c, OC_let_it_be, NULL);
            c->did = true;
            return;
        }
    house__act_undo(c, cl);
}

static void usual(struct ctx *c, struct clause *cl)
{
    if (house__recall(c, cl))
        return;
    house__say(c, OC_usual, NULL);
    c->asked = c->did = true;
}

static void done(struct ctx *c, struct clause *cl)
{
    if (!house__other_business(c, cl) || c->acted)
        house__done_ordering(c);
}

static void hesitation(struct ctx *c, struct clause *cl)
{
    (void)cl;
    if (c->clause_count == 1)
        house__say(c, OC_T_THINK, NULL);
}

/* What an intent does; those that are not here are questions. */
static void (*const acts[IN__COUNT])(struct ctx *c, struct clause *cl) = {
    [IN_ORDER] = house__act_order,
    [IN_ORDER_REF] = house__act_order,
    [IN_MORE] = house__act_more,
    [IN_AGAIN] = house__act_again,
    [IN_ROUND] = house__act_again,
    [IN_REMOVE] = house__act_remove,
    [IN_FEWER] = house__act_remove,
    [IN_MAKE] = house__act_quantity,
    [IN_MEANT] = meant,
    [IN_PUT_BACK] = put_back,
    [IN_TASTE_NO] = dislikes,
    [IN_REPLACE] = house__act_replace,
    [IN_MODIFY] = house__act_modify,
    [IN_CLEAR] = house__act_clear,
    [IN_UNDO] = undo,
    [IN_NEGATE] = negated,
    [IN_BILL] = house__act_money,
    [IN_PAY] = house__act_money,
    [IN_PAID_ASK] = house__act_money,
    [IN_SPLIT] = house__act_money,
    [IN_BALANCE] = house__act_money,
    [IN_TIP] = house__act_money,
    [IN_TIP_NONE] = house__act_money,
    [IN_TIP_ASK] = house__act_money,
    [IN_TIP_SHOW] = house__act_money,
    [IN_ROUND_UP] = house__act_money,
    [IN_USUAL] = usual,
    [IN_MY_NAME] = house__act_my_name,
    [IN_SURPRISE] = surprise,
    [IN_YES] = answer_yes,
    [IN_NO] = answer_no,
    [IN_DONE] = done,
    [IN_TALK] = talk,
    [IN_FIX] = hesitation,
    [IN_NONE] = unknown,
};

void house__act_clause(struct ctx *c, struct clause *cl)
{
    if (cl->n == 0 || house__act_answer(c, cl))
        return;
    (acts[cl->intent] ? acts[cl->intent] : house__act_ask)(c, cl);
}
