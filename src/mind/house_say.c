/* The reply, made from phrases and from what the tools did. */
#include "mind/house_int.h"

#include <stdarg.h>
#include <string.h>

static uint64_t next_random(uint64_t *s)
{
    uint64_t z = *s += UINT64_C(0x9e3779b97f4a7c15); /* splitmix64 */

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* A phrase for the occasion, not the one that was used for it last. */
static const char *pick(struct ctx *c, enum occasion o)
{
    size_t n = phrases_count(c->h->phrases, o), at;
    struct memo *m = &c->memo;
    int last = -1;

    for (size_t i = 0; i < MEMO_SAID; i++)
        if (m->said[i][0] == o + 1)
            last = m->said[i][1];
    at = next_random(&c->rng) % n;
    if ((int)at == last)
        at = (at + 1) % n;
    for (size_t i = 0; i < MEMO_SAID; i++)
        if (m->said[i][0] == o + 1) {
            m->said[i][1] = (uint8_t)at;
            return phrases_get(c->h->phrases, o, at);
        }
    m->said[m->said_at][0] = (uint8_t)(o + 1);
    m->said[m->said_at][1] = (uint8_t)at;
    m->said_at = (uint8_t)((m->said_at + 1) % MEMO_SAID);
    return phrases_get(c->h->phrases, o, at);
}

/* A sentence's first letter is a capital, whatever placeholder it began with. */
static void capital(struct buf *b, size_t at)
{
    if (at < b->len && b->data[at] >= 'a' && b->data[at] <= 'z')
        b->data[at] = (char)(b->data[at] - 32);
}

static void fill(struct buf *out, const char *phrase, va_list args)
{
    size_t start;

    if (out->len)
        buf_char(out, ' ');
    start = out->len;
    while (*phrase) {
        size_t n = strcspn(phrase, "{");
        const char *end;
        va_list ap;

        buf_add(out, phrase, n);
        phrase += n;
        end = *phrase ? strchr(phrase, '}') : NULL;
        if (!end)
            break;
        va_copy(ap, args);
        for (const char *key; (key = va_arg(ap, const char *));) {
            const char *text = va_arg(ap, const char *);

            if (strlen(key) == (size_t)(end - phrase - 1) &&
                memcmp(key, phrase + 1, strlen(key)) == 0)
                buf_str(out, text);
        }
        va_end(ap);
        phrase = end + 1;
    }
    capital(out, start);
    /* what was filled in may begin a later sentence of the phrase too */
    for (size_t i = start + 2; i < out->len; i++)
        if (out->data[i - 1] == ' ' && strchr(".!?", out->data[i - 2]) &&
            !(i > 3 && out->data[i - 3] == '.'))
            capital(out, i);
}

void house__say(struct ctx *c, enum occasion o, ...)
{
    va_list ap;

    house__say_flush(c);
    va_start(ap, o);
    fill(&c->said, pick(c, o), ap);
    va_end(ap);
}

static void say_plain(struct ctx *c, enum occasion o, ...)
{
    va_list ap;

    va_start(ap, o);
    fill(&c->said, pick(c, o), ap);
    va_end(ap);
}

struct buf *house__say_buf(struct ctx *c, struct buf *b)
{
    buf_init(b, &c->clause_room.mem);
    return b;
}

void house__say_join(struct buf *out, size_t i, size_t n)
{
    if (i == 0)
        return;
    buf_str(out, i + 1 < n ? ", " : " and ");
}

void house__number_text(int n, struct buf *out)
{
    static const char *const words[] = {"no",   "one",    "two",   "three", "four",
                                        "five", "six",    "seven", "eight", "nine",
                                        "ten",  "eleven", "twelve"};

    if (n >= 0 && n < (int)ARRAY_LEN(words))
        buf_str(out, words[n]);
    else
        buf_printf(out, "%d", n);
}

static void plural(const char *name, struct buf *out)
{
    size_t n = strlen(name);

    if (n > 2 && name[n - 1] == 'y' && !strchr("aeiou", name[n - 2]))
        buf_printf(out, "%.*sies", (int)n - 1, name);
    else if (strchr("sxzh", name[n - 1]))
        buf_printf(out, "%ses", name);
    else
        buf_printf(out, "%ss", name);
}

void house__say_count(struct buf *out, const struct house *h, int item, const uint8_t *mods,
                      size_t mod_count, int qty)
{
    const char *name = h->items[item].name;

    if (qty == 1)
        buf_str(out, strchr("AEIOU", name[0]) ? "an " : "a ");
    else {
        house__number_text(qty, out);
        buf_char(out, ' ');
    }
    if (qty == 1)
        buf_str(out, name);
    else
        plural(name, out);
    if (mod_count) {
        buf_str(out, " (");
        house__mods_text(h, mods, mod_count, out);
        buf_char(out, ')');
    }
}

void house__say_added(struct ctx *c, int item, const uint8_t *mods, size_t mod_count, int qty)
{
    if (c->added_parts)
        buf_char(&c->added, '\n');
    house__say_count(&c->added, c->h, item, mods, mod_count, qty);
    c->added_parts++;
}

void house__say_parts(struct ctx *c, const struct buf *parts, int n, struct buf *ret)
{
    const char *p = buf_text(parts);

    house__say_buf(c, ret);
    for (int i = 0; i < n; i++) {
        size_t len = strcspn(p, "\n");

        house__say_join(ret, (size_t)i, (size_t)n);
        buf_add(ret, p, len);
        p += len + (p[len] != 0);
    }
}

void house__say_flush(struct ctx *c)
{
    struct buf items;
    char tab[24];
    int n = c->added_parts;

    if (!n)
        return;
    house__say_parts(c, &c->added, n, &items);
    c->added_parts = 0;
    buf_clear(&c->added);
    bar_money(bar_tab_cents(c->tab), tab);
    say_plain(c, OC_added, "items", buf_text(&items), "tab", tab, NULL);
}

void house__say_lines(struct ctx *c, struct buf *out)
{
    for (int i = 0; i < c->tab->line_count; i++) {
        const struct bar_line *l = &c->tab->lines[i];
        int item = house__line_item(c->h, l);
        uint8_t mods[WISH_MODS];
        size_t n = house__line_mods(c->h, l, mods);

        house__say_join(out, (size_t)i, (size_t)c->tab->line_count);
        if (item >= 0)
            house__say_count(out, c->h, item, mods, n, l->quantity);
        else
            buf_printf(out, "%d x %s", (int)l->quantity, l->name);
    }
}

void house__say_error(struct ctx *c, const struct reply *r, int item, int qty)
{
    struct buf items;
    char price[24], balance[24];

    house__say_buf(c, &items);
    bar_money(bar_balance_cents(c->tab), balance);
    price[0] = '\0';
    if (item >= 0) {
        house__say_count(&items, c->h, item, NULL, 0, qty);
        bar_money(c->h->items[item].price_cents * qty, price);
    }
    if (strcmp(r->code, "INSUFFICIENT_FUNDS") == 0 && item >= 0)
        house__say(c, OC_funds, "items", buf_text(&items), "price", price, "balance", balance,
                   NULL);
    else if (strcmp(r->code, "QUANTITY_LIMIT") == 0 && item >= 0)
        house__say(c, OC_limit, "items", buf_text(&items), NULL);
    else if (strcmp(r->code, "INVALID_QUANTITY") == 0)
        house__say(c, OC_quantity_zero, NULL);
    else
        house__say(c, OC_tool_no, "message", r->message, NULL);
}
