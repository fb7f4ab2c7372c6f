/* The way a drink is wanted: the guest's words become the menu's, and stay when it has none. */
#include "bar/tool_int.h"

#include "base/strs.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

struct joined {
    char *text; /* BAR_MODIFIERS_MAX */
    size_t len;
    bool full;
};

static bool next_piece(struct str *rest, struct str *ret)
{
    const char *comma;

    if (!rest->len)
        return false;
    comma = memchr(rest->data, ',', rest->len);
    *ret = str_trim((struct str){rest->data, comma ? (size_t)(comma - rest->data) : rest->len});
    size_t used = comma ? (size_t)(comma - rest->data) + 1 : rest->len;
    *rest = (struct str){rest->data + used, rest->len - used};
    return true;
}

static bool among(struct str piece, const char *have)
{
    struct str rest = str_of(have), other;

    while (next_piece(&rest, &other))
        if (other.len == piece.len && strncasecmp(other.data, piece.data, piece.len) == 0)
            return true;
    return false;
}

bool bar__modifiers_within(const char *wanted, const char *have)
{
    struct str rest = str_of(wanted), piece;

    while (next_piece(&rest, &piece))
        if (!among(piece, have))
            return false;
    return true;
}

/* "gin" and "with gin" are a choice of liquor; it is written "gin". */
static const char *liquor(const struct bar_menu *m, const char *form)
{
    const char *name = strncmp(form, "with ", 5) == 0 ? form + 5 : form;

    for (size_t i = 0; i < m->liquor_count; i++)
        if (strcasecmp(m->liquors[i]->name, name) == 0)
            return name;
    return NULL;
}

static void join(struct joined *out, struct str s)
{
    size_t comma = out->len ? 2 : 0;

    if (s.len == 0 || among(s, out->text))
        return;
    if (out->len + comma + s.len >= BAR_MODIFIERS_MAX) {
        out->full = true;
        return;
    }
    memcpy(out->text + out->len, ", ", comma);
    memcpy(out->text + out->len + comma, s.data, s.len);
    out->len += comma + s.len;
    out->text[out->len] = '\0';
}

static void take(const struct bar_menu *m, struct joined *out, struct str piece)
{
    static const char *const nothing[] = {"none", "no modifiers", "plain", "regular"};
    char form[BAR_NAME_MAX], free_text[BAR_MODIFIERS_MAX];
    const struct bar_modifier *known;
    size_t len = 0;

    if (!piece.len)
        return;
    if (bar_normal(piece.data, piece.len, form, sizeof(form)) && form[0]) {
        for (size_t i = 0; i < ARRAY_LEN(nothing); i++)
            if (strcmp(form, nothing[i]) == 0)
                return;
        known = bar_menu_find_modifier(m, form);
        if (known || liquor(m, form)) {
            join(out, str_of(known ? known->name : liquor(m, form)));
            return;
        }
    }
    if (piece.len >= sizeof(free_text)) {
        out->full = true;
        return;
    }
    for (; len < piece.len; len++)
        free_text[len] = iscntrl((unsigned char)piece.data[len]) ? ' ' : piece.data[len];
    join(out, str_trim((struct str){free_text, len}));
}

static void take_text(const struct bar_menu *m, struct joined *out, const char *text)
{
    struct str rest = str_of(text), piece;

    while (next_piece(&rest, &piece))
        take(m, out, piece);
}

enum bar_outcome bar__modifiers(const struct bar_menu *m, const struct bar__arg *arg,
                                char ret[BAR_MODIFIERS_MAX])
{
    struct joined out = {.text = ret};

    ret[0] = '\0';
    if (!arg->given)
        return BAR_OK;
    if (json_is_string(arg->list))
        take_text(m, &out, json_string_value(arg->list));
    for (size_t i = 0; i < json_array_size(arg->list); i++)
        take_text(m, &out, json_string_value(json_array_get(arg->list, i)));
    return out.full ? BAR_INVALID_ARGUMENT : BAR_OK;
}
