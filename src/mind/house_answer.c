/* Answers to what Maya asked, or to what she just did. */
#include "mind/house_int.h"

#include <string.h>

#define TIP_LIKELY 5000 /* more per cent than this is a way to speak: "100% sure" */

static void offer_taken(struct ctx *c, const struct clause *cl)
{
    struct memo *m = &c->memo;
    struct wish w = {.kind = WISH_ITEM, .qty = 1};
    struct wishes ws;

    house__parse_wishes(c->h, cl->e, cl->n, &ws);
    if (m->shown_count != 1 && !(ws.count && ws.w[0].ref == REF_ORDINAL)) {
        struct buf list;

        house__say_buf(c, &list);
        for (size_t i = 0; i < m->shown_count; i++) {
            if (i)
                buf_str(&list, i + 1u < m->shown_count ? ", " : " or ");
            buf_printf(&list, "the %s", c->h->items[m->shown[i]].name);
        }
        if (m->shown_count)
            house__say(c, OC_which_line, "list", buf_text(&list), NULL);
        else
            house__say(c, OC_want_which, NULL);
        m->pending = PEND_OFFER;
        c->asked = true;
        return;
    }
    w.value = m->shown[0];
    if (ws.count && ws.w[0].ref == REF_ORDINAL && ws.w[0].value <= m->shown_count)
        w.value = m->shown[ws.w[0].value - 1];
    if (ws.count && ws.w[0].qty)
        w.qty = ws.w[0].qty;
    house__order_wish(c, &w, w.qty);
    m->shown_count = 0;
}

static bool short_number(const struct clause *cl)
{
    static const char *const small[] = {
        "please",   "then",    "ok",   "is",   "fine", "just", "maybe", "make",  "it",
        "of",       "say",     "do",   "a",    "flat", "only", "that",  "to",    "tip",
        "for",      "percent", "lets", "give", "you",  "i",    "will",  "leave", "no",
        "actually", "let",     "us",   "she",  "he",   "says", "meant", "go",    "with"};
    size_t numbers = 0;

    for (size_t i = 0; i < cl->n; i++) {
        const struct el *e = &cl->e[i];
        bool known = false;

        if ((e->kind == EL_NUM && !e->weak) || e->kind == EL_MONEY || e->kind == EL_PCT) {
            numbers++;
            continue;
        }
        for (size_t k = 0; k < ARRAY_LEN(small) && !known; k++)
            known = e->len == strlen(small[k]) && memcmp(e->text, small[k], e->len) == 0;
        if (!known)
            return false;
    }
    return numbers == 1;
}

/* "That's too much, five bucks": money behind a tip, with no drink it could be the price of. */
static bool tip_again(const struct clause *cl)
{
    bool amount = false;

    for (size_t i = 0; i < cl->n; i++) {
        if (cl->e[i].kind == EL_ITEM || cl->e[i].kind == EL_OFF || cl->e[i].kind == EL_CAT)
            return false;
        amount |= cl->e[i].kind == EL_MONEY ||
                  (cl->e[i].kind == EL_PCT && cl->e[i].value <= TIP_LIKELY);
    }
    return amount && ((cl->intent == IN_TALK && cl->talk != OC_T_TRICK) ||
                      cl->intent == IN_YES || cl->intent == IN_DONE || cl->intent == IN_NO ||
                      cl->intent == IN_NEGATE || cl->intent == IN_NONE);
}

/* A bare number is a tip when that was asked for, or was just what was changed. */
static bool answers_tip(struct ctx *c, const struct clause *cl, enum pending was)
{
    struct memo *m = &c->memo;
    bool yes = cl->intent == IN_YES, no = cl->intent == IN_NO;
    struct clause copy = *cl;

    if (was == PEND_TIP || (m->last_act == ACT_TIP && !yes && !no)) {
        if (tip_again(cl) ||
            (short_number(cl) && (cl->intent == IN_ORDER_REF || cl->intent == IN_MAKE ||
                                  cl->intent == IN_MEANT || cl->intent == IN_NONE))) {
            copy.intent = IN_TIP;
            house__act_money(c, &copy);
            return true;
        }
        if (was == PEND_TIP && no) {
            m->pending = PEND_NONE;
            copy.intent = IN_TIP_NONE;
            house__act_money(c, &copy);
            return true;
        }
    }
    return false;
}

bool house__act_answer(struct ctx *c, struct clause *cl)
{
    struct memo *m = &c->memo;
    enum pending was = (enum pending)m->pending;
    bool yes = cl->intent == IN_YES, no = cl->intent == IN_NO;
    struct clause copy = *cl;

    if (c->acted || c->did || !c->fresh)
        return false;
    if (answers_tip(c, cl, was))
        return true;
    if (was == PEND_TIP_OFFER && (yes || cl->intent == IN_ORDER_REF || cl->intent == IN_MAKE)) {
        copy.intent = IN_YES;
        house__act_money(c, &copy);
        return true;
    }
    if (was == PEND_REMOVE &&
        (cl->intent == IN_ORDER || cl->intent == IN_ORDER_REF || cl->intent == IN_MODIFY ||
         cl->intent == IN_DONE || cl->intent == IN_MAKE)) {
        struct wishes ws;

        house__parse_wishes(c->h, cl->e, cl->n, &ws);
        if (ws.count) {
            m->pending = PEND_NONE;
            if (ws.w[0].kind == WISH_REF && ws.w[0].ref == REF_NONE)
                ws.w[0].ref = REF_ONE;
            house__act_remove_wish(c, &ws.w[0]);
            return true;
        }
    }
    if (yes && was == PEND_OFFER && !house__other_business(c, cl)) {
        m->pending = PEND_NONE;
        offer_taken(c, cl);
        c->did = true;
        return true;
    }
    if (yes && was == PEND_PAY && !house__other_business(c, cl)) {
        copy.intent = IN_PAY;
        house__act_money(c, &copy);
        return true;
    }
    if (no && (was == PEND_MORE || was == PEND_PAY) && house__alone(c, cl)) {
        m->pending = PEND_NONE;
        if (was == PEND_MORE)
            house__done_ordering(c);
        else
            house__say(c, OC_let_it_be, NULL);
        c->did = true;
        return true;
    }
    return false;
}
