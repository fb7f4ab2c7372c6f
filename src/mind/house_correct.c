/* A correction that names several drinks: "no wait, two beers and an IPA". */
#include "mind/house_int.h"

#include <string.h>

/* What the last act added, as it was before this correction. */
struct before {
    struct touch list[MEMO_TOUCHED];
    bool used[MEMO_TOUCHED];
    size_t count;
};

static bool named(const struct wishes *ws)
{
    for (size_t i = 0; i < ws->count; i++)
        if (ws->w[i].kind != WISH_ITEM || ws->w[i].the || ws->w[i].part)
            return false;
    return ws->count > 0;
}

/* The drinks of this clause and of those behind it that go on with it. */
static size_t gather(struct ctx *c, struct clause *cl, struct wishes *ws)
{
    struct clause *end = c->clauses + c->clause_count, *next = cl + 1;

    house__parse_wishes(c->h, cl->e, cl->n, ws);
    if (!named(ws))
        return 0;
    for (; next < end && next->intent == IN_MEANT && !next->first; next++) {
        struct wishes more;

        house__parse_wishes(c->h, next->e, next->n, &more);
        if (!named(&more) || ws->count + more.count > HOUSE_WISHES_MAX)
            break;
        memcpy(ws->w + ws->count, more.w, more.count * sizeof(more.w[0]));
        ws->count += more.count;
    }
    return (size_t)(next - cl);
}

static struct touch *same_drink(struct before *b, const struct wish *w)
{
    for (size_t i = b->count; i-- > 0;)
        if (!b->used[i] && b->list[i].item == w->value + 1 && b->list[i].qty) {
            b->used[i] = true;
            return &b->list[i];
        }
    return NULL;
}

static struct touch *left_over(struct before *b)
{
    for (size_t i = b->count; i-- > 0;)
        if (!b->used[i] && b->list[i].qty) {
            b->used[i] = true;
            return &b->list[i];
        }
    return NULL;
}

/* Take what `t` added off again and put the wish there, in the way it was wanted before. */
static bool put_right(struct ctx *c, const struct touch *t, const struct wish *w, int qty)
{
    uint8_t mods[WISH_MODS];
    size_t n = 0;
    struct reply r;

    if (t) {
        int line = house__line_of_touch(c, t);

        if (line >= 0 && t->item == w->value + 1)
            n = house__line_mods(c->h, &c->tab->lines[line], mods);
        if (line >= 0 && !house__tool_remove(c, line, t->qty, &r))
            return false;
        house__forget_round(c, t->item - 1, t->qty);
    }
    n = house__mods_merge(c->h, w->value, mods, n, w);
    if (!house__tool_add(c, w->value, mods, n, qty, &r))
        return false;
    if (!r.ok) {
        house__say_error(c, &r, w->value, qty);
        return true;
    }
    for (int i = 0; i < c->tab->line_count; i++) {
        uint8_t have[WISH_MODS];

        if (house__line_item(c->h, &c->tab->lines[i]) == w->value &&
            house__line_mods(c->h, &c->tab->lines[i], have) == n)
            house__touch_line(c, i, qty);
    }
    house__remember_round(c, w->value, mods, n, qty);
    return true;
}

static void tell(struct ctx *c, const struct wishes *ws)
{
    struct buf items;

    house__say_buf(c, &items);
    for (size_t i = 0; i < ws->count; i++) {
        const struct wish *w = &ws->w[i];

        house__say_join(&items, i, ws->count);
        house__say_count(&items, c->h, w->value, w->mods, w->mod_count, w->qty ? w->qty : 1);
    }
    house__say(c, OC_changed_quantity, "items", buf_text(&items), NULL);
}

/*
 * False when this is no such correction: nothing was just added, or one drink only is named,
 * which may mean the last one whatever it is.
 */
bool house__act_correct(struct ctx *c, struct clause *cl)
{
    struct before b = {.count = c->memo.touched_count};
    struct touch *of[HOUSE_WISHES_MAX];
    struct wishes ws;
    size_t used = gather(c, cl, &ws);

    if (used == 0 || ws.count < 2 || c->memo.last_act != ACT_ADD || !(c->fresh || c->acted))
        return false;
    memcpy(b.list, c->memo.touched, b.count * sizeof(b.list[0]));
    for (size_t i = 0; i < ws.count; i++)
        of[i] = same_drink(&b, &ws.w[i]);
    for (size_t i = 0; i < ws.count; i++)
        if (!of[i])
            of[i] = left_over(&b);
    c->memo.touched_count = 0;
    c->acted = c->did = true;
    c->added_parts = 0; /* what was added and not yet told is told as it is now */
    buf_clear(&c->added);
    for (size_t i = 0; i < ws.count; i++)
        if (!put_right(c, of[i], &ws.w[i], ws.w[i].qty ? ws.w[i].qty : 1))
            return true;
    tell(c, &ws);
    for (size_t i = 1; i < used; i++)
        cl[i].intent = IN_FIX; /* done with this one */
    c->memo.pending = PEND_MORE;
    return true;
}
