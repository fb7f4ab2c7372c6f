/* Rounds: what they are made of, and the same again. */
#include "mind/house_int.h"

#include <string.h>

#define ROUND_MODS 4

void house__remember_round(struct ctx *c, int item, const uint8_t *mods, size_t n, int qty)
{
    struct memo *m = &c->memo;
    struct touch t = {.item = (uint8_t)(item + 1), .qty = (uint8_t)(qty > 255 ? 255 : qty)};

    t.mod_count = (uint8_t)(n < ROUND_MODS ? n : ROUND_MODS);
    memcpy(t.mods, mods, t.mod_count);
    for (size_t i = 0; i < m->round_count; i++)
        if (m->round[i].item == t.item &&
            memcmp(m->round[i].mods, t.mods, sizeof(t.mods)) == 0) {
            m->round[i].qty =
                (uint8_t)(m->round[i].qty + qty > 255 ? 255 : m->round[i].qty + qty);
            return;
        }
    if (m->round_count == MEMO_ROUND) {
        memmove(m->round, m->round + 1, sizeof(t) * (MEMO_ROUND - 1));
        m->round_count--;
    }
    m->round[m->round_count++] = t;
}

void house__forget_round(struct ctx *c, int item, int qty)
{
    struct memo *m = &c->memo;

    for (size_t i = m->round_count; i-- > 0 && qty > 0;) {
        int n = m->round[i].qty < qty ? m->round[i].qty : qty;

        if (m->round[i].item != item + 1)
            continue;
        m->round[i].qty = (uint8_t)(m->round[i].qty - n);
        qty -= n;
        if (m->round[i].qty == 0) {
            memmove(m->round + i, m->round + i + 1,
                    (m->round_count - i - 1u) * sizeof(m->round[0]));
            m->round_count--;
        }
    }
}

/* The same again: what was added last; or a round: everything that was ordered. */
void house__act_again(struct ctx *c, struct clause *cl)
{
    struct touch list[MEMO_ROUND];
    size_t n = 0;
    struct wishes ws;

    house__parse_wishes(c->h, cl->e, cl->n, &ws);
    for (size_t i = 0; i < ws.count; i++)
        if (ws.w[i].kind != WISH_REF) { /* "another round of IPAs" */
            if (ws.w[i].qty <= 1) {
                int lines[4];

                ws.w[i].qty = 0;
                if (c->group)
                    ws.w[i].qty = c->group;
                else if (house__lines_of(c, &ws.w[i], lines, 4))
                    ws.w[i].qty = c->tab->lines[lines[0]].quantity;
                else
                    ws.w[i].qty = 1;
            }
            house__order_wish(c, &ws.w[i], ws.w[i].qty);
            c->did = true;
            return;
        }
    c->did = true;
    if (cl->intent == IN_AGAIN && c->memo.touched_count && c->memo.last_act == ACT_ADD) {
        n = c->memo.touched_count;
        memcpy(list, c->memo.touched, n * sizeof(list[0]));
    } else {
        n = c->memo.round_count;
        memcpy(list, c->memo.round, n * sizeof(list[0]));
    }
    if (n == 0) {
        house__say(c, OC_no_round_yet, NULL);
        c->asked = true;
        return;
    }
    for (size_t i = 0; i < n && !c->refused; i++)
        house__add(c, list[i].item - 1, list[i].mods, list[i].mod_count,
                   list[i].qty ? list[i].qty : 1, false);
}
