/* The tools, as the house mind calls them, and the lines of the order that they work on. */
#include "mind/house_int.h"

#include <jansson.h>
#include <string.h>

#define LIQUOR 128 /* modifier ids from here on are items: "with gin" */

static const char *mod_text(const struct house *h, int mod)
{
    static char liquor[BAR_NAME_MAX];

    if (mod < LIQUOR)
        return h->mods[mod - 1].name;
    for (size_t i = 0; i < sizeof(liquor); i++) {
        char c = h->items[mod - LIQUOR].name[i];

        liquor[i] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
        if (!c)
            break;
    }
    return liquor;
}

bool house__tool_call(struct ctx *c, const char *name, json_t *args, struct reply *ret)
{
    json_t *answer = NULL;
    const char *status, *text;

    *ret = (struct reply){.cents = -1};
    if (c->refused || !args || c->sink->call_tool(c->sink->ctx, name, args, &answer) < 0 ||
        !answer) {
        c->refused = true;
        json_decref(args);
        return false;
    }
    status = json_string_value(json_object_get(answer, "status"));
    ret->ok = status && strcmp(status, "ok") == 0;
    if (!ret->ok) {
        text = json_string_value(json_object_get(answer, "error"));
        str_copy(ret->code, sizeof(ret->code), text ? text : "");
        text = json_string_value(json_object_get(answer, "message"));
        str_copy(ret->message, sizeof(ret->message), text ? text : "");
    }
    json_decref(answer);
    json_decref(args);
    return true;
}

static json_t *mods_json(const struct house *h, const uint8_t *mods, size_t n)
{
    json_t *list = json_array();

    for (size_t i = 0; list && i < n; i++)
        if (json_array_append_new(list, json_string(mod_text(h, mods[i]))) < 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

/* Takes `value`; drops the object when memory was refused. */
static json_t *with(json_t *o, const char *key, json_t *value)
{
    if (!o || json_object_set_new(o, key, value) < 0) {
        json_decref(o);
        return NULL;
    }
    return o;
}

bool house__tool_add(struct ctx *c, int item, const uint8_t *mods, size_t mod_count, int qty,
                     struct reply *ret)
{
    json_t *a;

    if (item < 0) { /* ordered once, and off the menu since */
        *ret = (struct reply){.code = "ITEM_NOT_FOUND", .message = "That is off the menu now."};
        return true;
    }
    a = with(json_object(), "item_name", json_string(c->h->items[item].name));

    if (mod_count)
        a = with(a, "modifiers", mods_json(c->h, mods, mod_count));
    a = with(a, "quantity", json_integer(qty));
    return house__tool_call(c, "add_to_order", a, ret);
}

static json_t *line_args(struct ctx *c, int line)
{
    const struct bar_line *l = &c->tab->lines[line];
    json_t *a = with(json_object(), "item_name", json_string(l->name));

    if (!l->modifiers[0])
        return with(a, "modifiers", json_array());
    return with(a, "modifiers", json_pack("[s]", l->modifiers));
}

bool house__tool_remove(struct ctx *c, int line, int qty, struct reply *ret)
{
    int have = c->tab->lines[line].quantity;

    return house__tool_call(
        c, "remove_from_order",
        with(line_args(c, line), "quantity", json_integer(qty > 0 && qty < have ? qty : have)),
        ret);
}

bool house__tool_quantity(struct ctx *c, int line, int qty, struct reply *ret)
{
    return house__tool_call(c, "change_order",
                            with(line_args(c, line), "new_quantity", json_integer(qty)), ret);
}

bool house__tool_modifiers(struct ctx *c, int line, const uint8_t *mods, size_t mod_count,
                           struct reply *ret)
{
    return house__tool_call(
        c, "change_order",
        with(line_args(c, line), "new_modifiers", mods_json(c->h, mods, mod_count)), ret);
}

bool house__tool_plain(struct ctx *c, const char *name, struct reply *ret)
{
    return house__tool_call(c, name, json_object(), ret);
}

/* ---- lines ---- */

int house__line_item(const struct house *h, const struct bar_line *l)
{
    for (size_t i = 0; i < h->item_count; i++)
        if (strcmp(h->items[i].name, l->name) == 0)
            return (int)i;
    return -1;
}

size_t house__line_mods(const struct house *h, const struct bar_line *l, uint8_t *ret)
{
    size_t n = 0;
    const char *p = l->modifiers;

    while (*p && n < WISH_MODS) {
        size_t len = strcspn(p, ",");
        struct str piece = {p, len};

        for (size_t i = 0; i < h->mod_count; i++)
            if (str_eq(piece, h->mods[i].name))
                ret[n++] = (uint8_t)(1 + i);
        for (size_t i = 0; i < h->item_count && n < WISH_MODS; i++)
            if (str_eq_nocase(piece, h->items[i].name))
                ret[n++] = (uint8_t)(LIQUOR + i);
        p += len;
        p += strspn(p, ", ");
    }
    return n;
}

void house__mods_text(const struct house *h, const uint8_t *mods, size_t n, struct buf *out)
{
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_str(out, ", ");
        buf_str(out, mod_text(h, mods[i]));
    }
}

/* The names of the modifiers that exclude each other; the later one wins. */
static const char *const apart[][6] = {
    {"on the rocks", "neat", "up", "no ice", "light ice", "extra ice"},
    {"shaken", "stirred"},
    {"dry", "extra dry", "wet", "perfect"},
    {"dirty", "extra dirty"},
    {"single", "double"},
    {"salt rim", "no salt", "sugar rim"},
    {"sugar rim", "no sugar"},
    {"with a cherry", "no cherry", "no garnish"},
    {"with olives", "no olives", "no garnish"},
    {"with a twist", "no garnish"},
    {"extra lime", "no lime"},
    {"with lemon", "no lemon"},
    {"with mint", "no mint"},
    {"wet", "no vermouth"},
    {"extra bitters", "no bitters"},
};

static bool excludes(const struct house *h, int a, int b)
{
    if (a >= LIQUOR && b >= LIQUOR)
        return true;
    if (a >= LIQUOR || b >= LIQUOR)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(apart); i++) {
        bool has_a = false, has_b = false;

        for (size_t k = 0; k < ARRAY_LEN(apart[i]) && apart[i][k]; k++) {
            has_a |= strcmp(apart[i][k], h->mods[a - 1].name) == 0;
            has_b |= strcmp(apart[i][k], h->mods[b - 1].name) == 0;
        }
        if (has_a && has_b)
            return true;
    }
    return false;
}

/* What a drink may be without: "no cherry". Taking off what was put in is enough. */
static bool is_without(const struct house *h, int mod)
{
    static const char *const names[] = {"no cherry",    "no olives", "no lime",
                                        "no lemon",     "no mint",   "no vermouth",
                                        "no cranberry", "no bitters"};

    for (size_t i = 0; i < ARRAY_LEN(names) && mod < LIQUOR; i++)
        if (strcmp(names[i], h->mods[mod - 1].name) == 0)
            return true;
    return false;
}

/* "No cherry" in a drink that never had one changes nothing. */
static bool leaves_out(const struct house *h, int item, int mod)
{
    if (item < 0 || !is_without(h, mod))
        return false;
    for (size_t t = 0; h->items[item].tags[t]; t++)
        if (strncasecmp(h->items[item].tags[t], h->mods[mod - 1].name + 3, 5) == 0)
            return false;
    return true;
}

size_t house__mods_merge(const struct house *h, int item, uint8_t *mods, size_t n,
                         const struct wish *w)
{
    for (size_t k = 0; k < w->off_count; k++)
        for (size_t i = 0; i < n; i++)
            if (mods[i] == w->off_mods[k]) {
                memmove(mods + i, mods + i + 1, n - i - 1);
                n--;
            }
    for (size_t k = 0; k < w->mod_count; k++) {
        bool took = false;

        for (size_t i = 0; i < n;) {
            if (mods[i] == w->mods[k] || excludes(h, mods[i], w->mods[k])) {
                memmove(mods + i, mods + i + 1, n - i - 1);
                n--;
                took = true;
            } else {
                i++;
            }
        }
        if (n < WISH_MODS && !leaves_out(h, item, w->mods[k]) &&
            !(took && is_without(h, w->mods[k])))
            mods[n++] = w->mods[k];
    }
    return n;
}

static bool has_mods(const struct house *h, const struct bar_line *l, const uint8_t *mods,
                     size_t n)
{
    uint8_t have[WISH_MODS];
    size_t count = house__line_mods(h, l, have), found = 0;

    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < count; k++)
            found += have[k] == mods[i];
    return found == n;
}

int house__line_of_touch(struct ctx *c, const struct touch *t)
{
    for (int i = c->tab->line_count - 1; i >= 0; i--) {
        const struct bar_line *l = &c->tab->lines[i];
        uint8_t mods[WISH_MODS];

        if (house__line_item(c->h, l) + 1 == t->item &&
            has_mods(c->h, l, t->mods, t->mod_count) &&
            house__line_mods(c->h, l, mods) >= t->mod_count &&
            (t->mod_count == 4 || house__line_mods(c->h, l, mods) == t->mod_count))
            return i;
    }
    return -1;
}

int house__line_last(struct ctx *c)
{
    for (size_t i = c->memo.touched_count; i-- > 0;) {
        int line = house__line_of_touch(c, &c->memo.touched[i]);

        if (line >= 0)
            return line;
    }
    return c->tab->line_count - 1;
}

void house__touch_reset(struct ctx *c)
{
    if (!c->acted) {
        c->memo.touched_count = 0;
        c->acted = true;
    }
}

void house__touch_line(struct ctx *c, int line, int qty)
{
    struct touch t = {0};
    uint8_t mods[WISH_MODS];
    size_t n, at;

    house__touch_reset(c);
    if (line < 0 || line >= c->tab->line_count)
        return;
    n = house__line_mods(c->h, &c->tab->lines[line], mods);
    t.item = (uint8_t)(1 + house__line_item(c->h, &c->tab->lines[line]));
    t.qty = (uint8_t)(qty > 255 ? 255 : qty);
    t.mod_count = (uint8_t)(n > 4 ? 4 : n);
    memcpy(t.mods, mods, t.mod_count);
    for (at = 0; at < c->memo.touched_count; at++) {
        struct touch *o = &c->memo.touched[at];

        if (o->item == t.item && o->mod_count == t.mod_count &&
            memcmp(o->mods, t.mods, sizeof(t.mods)) == 0) {
            t.qty = (uint8_t)(o->qty + qty > 255 ? 255 : o->qty + qty);
            memmove(o, o + 1, (c->memo.touched_count - at - 1) * sizeof(*o));
            c->memo.touched_count--;
            break;
        }
    }
    if (c->memo.touched_count == MEMO_TOUCHED) {
        memmove(c->memo.touched, c->memo.touched + 1, sizeof(t) * (MEMO_TOUCHED - 1));
        c->memo.touched_count--;
    }
    c->memo.touched[c->memo.touched_count++] = t;
}

/* ---- which lines a wish may mean ---- */

static size_t lines_of_ref(struct ctx *c, const struct wish *w, int *ret, size_t cap)
{
    size_t n = 0;
    int line;

    if (w->ref == REF_IT && c->mention_count && !c->acted) {
        /* "the iced tea was for me, could you make it with lemon?" */
        for (line = c->tab->line_count - 1; line >= 0; line--)
            if (house__line_item(c->h, &c->tab->lines[line]) == c->mention[0]) {
                ret[0] = line;
                return 1;
            }
    }
    if (w->ref == REF_ALL || (w->ref == REF_IT && w->plural)) {
        for (size_t i = 0; i < c->memo.touched_count && n < cap; i++) {
            line = house__line_of_touch(c, &c->memo.touched[i]);
            if (line >= 0)
                ret[n++] = line;
        }
        if (w->ref == REF_ALL && n < 2) {
            n = 0;
            for (int i = 0; i < c->tab->line_count && n < cap; i++)
                ret[n++] = i;
        }
        if (n)
            return n;
    }
    if (w->ref == REF_ORDINAL) {
        /* of what was touched together, when that was several lines; else of the order */
        line = c->memo.touched_count >= w->value && c->memo.touched_count > 1
                   ? house__line_of_touch(c, &c->memo.touched[w->value - 1])
                   : w->value - 1;
        if (line < 0 || line >= c->tab->line_count)
            return 0;
        ret[0] = line;
        return cap > 0;
    }
    if (w->ref == REF_LAST) {
        ret[0] = c->tab->line_count - 1;
        return ret[0] >= 0;
    }
    if (w->ref == REF_OTHER && c->tab->line_count == 2) {
        ret[0] = house__line_last(c) == 1 ? 0 : 1;
        return 1;
    }
    if (w->ref == REF_OTHER) { /* of the same drink, but not the one just spoken of */
        line = house__line_last(c);
        for (int i = 0; line >= 0 && i < c->tab->line_count; i++)
            if (i != line && strcmp(c->tab->lines[i].name, c->tab->lines[line].name) == 0) {
                ret[0] = i;
                return 1;
            }
    }
    if (w->mod_count && w->ref != REF_IT && w->ref != REF_NONE)
        for (int i = 0; i < c->tab->line_count && n < cap; i++)
            if (has_mods(c->h, &c->tab->lines[i], w->mods, w->mod_count))
                ret[n++] = i;
    if (n)
        return n;
    ret[0] = house__line_last(c);
    return ret[0] >= 0;
}

static bool in_category(const struct house *h, int item, int cat)
{
    return item >= 0 && strcmp(h->items[item].category, h->cats[cat]) == 0;
}

size_t house__lines_of(struct ctx *c, const struct wish *w, int *ret, size_t cap)
{
    size_t n = 0;

    if (w->kind == WISH_OFF)
        return 0;
    if (w->kind == WISH_REF)
        return lines_of_ref(c, w, ret, cap);
    for (int pass = 0; pass < 2 && n == 0; pass++)
        for (int i = 0; i < c->tab->line_count && n < cap; i++) {
            int item = house__line_item(c->h, &c->tab->lines[i]);

            if (w->kind == WISH_CAT ? !in_category(c->h, item, w->value) : item != w->value)
                continue;
            if (pass == 0 && w->mod_count &&
                !has_mods(c->h, &c->tab->lines[i], w->mods, w->mod_count))
                continue;
            ret[n++] = i;
        }
    return n;
}
