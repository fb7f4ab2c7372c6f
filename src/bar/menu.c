/* The loaded menu: looking things up, and printing it. Loading it is menu_load.c. */
#include "bar/bar_int.h"

#include "base/alloc.h"
#include "base/buf.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

struct bar__piece {
    struct bar__piece *next;
    max_align_t data[];
};

void *bar__take(struct bar_menu *m, size_t n)
{
    struct bar__piece *p = xalloc(sizeof(*p) + n);

    p->next = m->pieces;
    m->pieces = p;
    return p->data;
}

void bar_menu_free(struct bar_menu **m)
{
    if (!*m)
        return;
    map_release(&(*m)->by_item);
    map_release(&(*m)->by_mood);
    map_release(&(*m)->by_modifier);
    for (struct bar__piece *p = (*m)->pieces, *next; p; p = next) {
        next = p->next;
        free(p);
    }
    free(*m);
    *m = NULL;
}

const struct bar_item *bar_menu_items(const struct bar_menu *m, size_t *ret_count)
{
    *ret_count = m->item_count;
    return m->items;
}

const struct bar_mood *bar_menu_moods(const struct bar_menu *m, size_t *ret_count)
{
    *ret_count = m->mood_count;
    return m->moods;
}

const struct bar_modifier *bar_menu_modifiers(const struct bar_menu *m, size_t *ret_count)
{
    *ret_count = m->modifier_count;
    return m->modifiers;
}

const struct bar_item *const *bar_menu_liquors(const struct bar_menu *m, size_t *ret_count)
{
    *ret_count = m->liquor_count;
    return m->liquors;
}

const char *bar_menu_house(const struct bar_menu *m)
{
    return m->house;
}

bool bar_normal(const char *text, size_t len, char *ret, size_t size)
{
    size_t n = 0;
    bool space = false;

    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '.' || c == '\'' || c == '"')
            continue;
        if (c == '-' || c == '_' || isspace(c)) {
            space = n > 0;
            continue;
        }
        if (n + space + 1 >= size) {
            ret[n] = '\0';
            return false;
        }
        if (space)
            ret[n++] = ' ';
        space = false;
        ret[n++] = (char)(c < 0x80 ? tolower(c) : c);
    }
    ret[n] = '\0';
    return true;
}

void *bar__find(const struct map *names, const char *normal)
{
    size_t len = strlen(normal);
    void *found = map_get(names, normal, len);

    /* "martinis", then "glasses": as little is taken off as finds something. */
    if (!found && len > 2 && normal[len - 1] == 's')
        found = map_get(names, normal, len - 1);
    if (!found && len > 3 && normal[len - 1] == 's' && normal[len - 2] == 'e')
        found = map_get(names, normal, len - 2);
    if (!found && len > 4 && len < BAR_NAME_MAX && memcmp(normal + len - 3, "ies", 3) == 0) {
        char singular[BAR_NAME_MAX];
        memcpy(singular, normal, len - 3);
        singular[len - 3] = 'y';
        found = map_get(names, singular, len - 2);
    }
    return found;
}

static void *find(const struct map *names, const char *name)
{
    char normal[BAR_NAME_MAX];

    if (!bar_normal(name, strlen(name), normal, sizeof(normal)) || !normal[0])
        return NULL;
    return bar__find(names, normal);
}

const struct bar_item *bar_menu_find(const struct bar_menu *m, const char *name)
{
    return find(&m->by_item, name);
}

const struct bar_mood *bar_menu_find_mood(const struct bar_menu *m, const char *name)
{
    return find(&m->by_mood, name);
}

const struct bar_modifier *bar_menu_find_modifier(const struct bar_menu *m, const char *name)
{
    return find(&m->by_modifier, name);
}

void bar_menu_text(const struct bar_menu *m, struct buf *out)
{
    const char *category = NULL;

    buf_printf(out, "The menu of %s\n", m->house);
    for (size_t i = 0; i < m->item_count; i++) {
        char price[24];
        const struct bar_item *item = &m->items[i];
        if (!category || strcmp(category, item->category) != 0)
            buf_printf(out, "\n%s:\n", item->category);
        category = item->category;
        bar_money(item->price_cents, price);
        buf_printf(out, "- %s (%s)%s%s\n", item->name, price, item->description[0] ? ": " : "",
                   item->description);
    }
    buf_printf(out, "\nMade with, where there is a choice: ");
    for (size_t i = 0; i < m->liquor_count; i++)
        buf_printf(out, "%s%s%s", i ? ", " : "", m->liquors[i]->name,
                   i == 0 ? " (unless you say otherwise)" : "");
    buf_printf(out, "\nAsk for it: ");
    for (size_t i = 0; i < m->modifier_count; i++)
        buf_printf(out, "%s%s", i ? ", " : "", m->modifiers[i].name);
    buf_char(out, '\n');
}
