/*
 * menu.yaml -> struct bar_menu. Everything is checked here, once, with file and line, so that
 * nobody who uses the menu has to check anything.
 */
#include "bar/bar_int.h"

#include "base/alloc.h"
#include "base/strs.h"
#include "yaml/yaml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ITEMS_MAX 200
#define LIST_MAX 60 /* aliases, tags, items of one mood */
#define LINE_MAX_BYTES 160
#define POPULAR "popular" /* the mood that is used when nobody knows what is meant */

struct loader {
    struct bar_menu *menu;
    struct err *e;
};

/* A text of 1 to max - 1 bytes, valid UTF-8 without control characters, trimmed. */
static int take_text(struct loader *l, const struct yaml_node *n, size_t max, const char **ret)
{
    const char *text = yaml_text(n);

    if (!text)
        return yaml_err(n, l->e, "here goes a text");
    struct str s = str_trim(str_of(text));
    if (s.len == 0)
        return yaml_err(n, l->e, "this is empty");
    if (s.len >= max)
        return yaml_err(n, l->e, "'%.20s...' has %zu bytes; at most %zu", s.data, s.len,
                        max - 1);
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.data[i] < 0x20 || s.data[i] == 0x7F)
            return yaml_err(n, l->e, "a control character or line break; one line of text");
    char *copy = bar__take(l->menu, s.len + 1);
    memcpy(copy, s.data, s.len);
    *ret = copy;
    return 0;
}

static int need_text(struct loader *l, const struct yaml_node *map, const char *key, size_t max,
                     const char **ret)
{
    const char *text;

    if (yaml_need_text(map, key, &text, l->e))
        return -1;
    return take_text(l, yaml_get(map, key), max, ret);
}

/* A list of texts (none when the key is missing), NULL-ended; `normal` puts them in that form.
 */
static int take_list(struct loader *l, const struct yaml_node *map, const char *key,
                     bool normal, const char *const **ret)
{
    const struct yaml_node *list = NULL;
    const char **texts;
    size_t count = 0;

    if (yaml_get(map, key)) {
        if (yaml_need_list(map, key, &list, l->e))
            return -1;
        count = yaml_count(list);
        if (count > LIST_MAX)
            return yaml_err(list, l->e, "'%s' has %zu members; at most %d", key, count,
                            LIST_MAX);
    }
    texts = bar__take(l->menu, (count + 1) * sizeof(*texts));
    for (size_t i = 0; i < count; i++) {
        const struct yaml_node *n = yaml_at(list, i);
        char form[BAR_NAME_MAX];
        if (take_text(l, n, BAR_NAME_MAX, &texts[i]))
            return -1;
        if (!normal)
            continue;
        bar_normal(texts[i], strlen(texts[i]), form, sizeof(form));
        if (!form[0])
            return yaml_err(n, l->e, "'%s' has no letter or digit", texts[i]);
        char *copy = bar__take(l->menu, sizeof(form));
        str_copy(copy, sizeof(form), form);
        texts[i] = copy;
    }
    *ret = texts;
    return 0;
}

/* Make `name` findable as `thing`; two things must not answer to one name. */
static int claim(struct loader *l, struct map *names, const struct yaml_node *n,
                 const char *name, void *thing, const char *(*name_of)(const void *thing))
{
    static const char *const endings[] = {"", "s", "es"};
    char form[BAR_NAME_MAX], longer[BAR_NAME_MAX + 2];
    void *other;

    bar_normal(name, strlen(name), form, sizeof(form));
    other = bar__find(names, form);
    for (size_t i = 0; !other && i < ARRAY_LEN(endings); i++) {
        int len = snprintf(longer, sizeof(longer), "%s%s", form, endings[i]);
        other = map_get(names, longer, (size_t)len);
    }
    if (other && other != thing)
        return yaml_err(n, l->e, "'%s' already means '%s'; a name may mean one thing only",
                        name, name_of(other));
    char *key = bar__take(l->menu, sizeof(form));
    str_copy(key, sizeof(form), form);
    map_put(names, key, strlen(key), thing);
    return 0;
}

static int claim_aliases(struct loader *l, struct map *names, const struct yaml_node *map,
                         const char *const *aliases, void *thing,
                         const char *(*name_of)(const void *thing))
{
    const struct yaml_node *list = yaml_get(map, "aliases");

    for (size_t i = 0; aliases[i]; i++)
        if (claim(l, names, yaml_at(list, i), aliases[i], thing, name_of))
            return -1;
    return 0;
}

static const char *item_name(const void *thing)
{
    return ((const struct bar_item *)thing)->name;
}

static const char *mood_name(const void *thing)
{
    return ((const struct bar_mood *)thing)->name;
}

static const char *modifier_name(const void *thing)
{
    return ((const struct bar_modifier *)thing)->name;
}

static int load_item(struct loader *l, const struct yaml_node *n, struct bar_item *item)
{
    static const char *const keys[] = {"name", "price", "aliases", "tags", "description", NULL};
    const struct yaml_node *price;

    if (yaml_only_keys(n, keys, l->e) || need_text(l, n, "name", BAR_NAME_MAX, &item->name))
        return -1;
    price = yaml_get(n, "price");
    if (!price)
        return yaml_err(n, l->e, "'%s' has no price; add a line like 'price: 12'", item->name);
    if (yaml_as_cents(price, &item->price_cents, l->e))
        return -1;
    item->description = "";
    if (yaml_get(n, "description") &&
        need_text(l, n, "description", LINE_MAX_BYTES, &item->description))
        return -1;
    if (take_list(l, n, "aliases", true, &item->aliases) ||
        take_list(l, n, "tags", true, &item->tags) ||
        claim(l, &l->menu->by_item, yaml_get(n, "name"), item->name, item, item_name))
        return -1;
    return claim_aliases(l, &l->menu->by_item, n, item->aliases, item, item_name);
}

/* The members of root's list `key`, 1 to ITEMS_MAX of them. */
static int need_members(struct loader *l, const struct yaml_node *map, const char *key,
                        const struct yaml_node **ret)
{
    if (yaml_need_list(map, key, ret, l->e))
        return -1;
    if (yaml_count(*ret) == 0 || yaml_count(*ret) > ITEMS_MAX)
        return yaml_err(*ret, l->e, "'%s' has %zu members; 1 to %d are right", key,
                        yaml_count(*ret), ITEMS_MAX);
    return 0;
}

static int load_categories(struct loader *l, const struct yaml_node *root)
{
    static const char *const keys[] = {"name", "items", NULL};
    struct bar_menu *m = l->menu;
    const struct yaml_node *list, *items;

    m->items = bar__take(m, ITEMS_MAX * sizeof(*m->items));
    if (need_members(l, root, "categories", &list))
        return -1;
    for (size_t i = 0; i < yaml_count(list); i++) {
        const struct yaml_node *n = yaml_at(list, i);
        const char *category = NULL;
        if (yaml_only_keys(n, keys, l->e) || need_text(l, n, "name", BAR_NAME_MAX, &category) ||
            need_members(l, n, "items", &items))
            return -1;
        for (size_t k = 0; k < yaml_count(items); k++) {
            if (m->item_count == ITEMS_MAX)
                return yaml_err(yaml_at(items, k), l->e, "more than %d items", ITEMS_MAX);
            struct bar_item *item = &m->items[m->item_count++];
            item->category = category;
            if (load_item(l, yaml_at(items, k), item))
                return -1;
        }
    }
    return 0;
}

/* A modifier must not sound like an item: "soda" would be a drink and a wish at once. */
static int load_modifiers(struct loader *l, const struct yaml_node *root)
{
    static const char *const keys[] = {"name", "aliases", NULL};
    struct bar_menu *m = l->menu;
    const struct yaml_node *list;

    if (need_members(l, root, "modifiers", &list))
        return -1;
    m->modifiers = bar__take(m, yaml_count(list) * sizeof(*m->modifiers));
    for (size_t i = 0; i < yaml_count(list); i++) {
        const struct yaml_node *n = yaml_at(list, i);
        struct bar_modifier *mod = &m->modifiers[m->modifier_count++];
        const struct bar_item *item;
        if (yaml_only_keys(n, keys, l->e) ||
            need_text(l, n, "name", BAR_NAME_MAX, &mod->name) ||
            take_list(l, n, "aliases", true, &mod->aliases))
            return -1;
        if (strchr(mod->name, ','))
            return yaml_err(n, l->e, "'%s': a comma stands between two modifiers", mod->name);
        if (claim(l, &m->by_modifier, yaml_get(n, "name"), mod->name, mod, modifier_name) ||
            claim_aliases(l, &m->by_modifier, n, mod->aliases, mod, modifier_name))
            return -1;
        item = bar_menu_find(m, mod->name);
        for (size_t k = 0; !item && mod->aliases[k]; k++)
            item = bar_menu_find(m, mod->aliases[k]);
        if (item)
            return yaml_err(n, l->e, "modifier '%s' answers to a name of the item '%s'",
                            mod->name, item->name);
    }
    return 0;
}

/* "Martini", or "Whiskey (neat)" with a modifier that exists. */
static int check_mood_item(struct loader *l, const struct yaml_node *n, const char *text)
{
    char name[BAR_NAME_MAX], modifier[BAR_NAME_MAX];
    const char *open = strchr(text, '(');
    size_t len = open ? (size_t)(open - text) : strlen(text);

    snprintf(name, sizeof(name), "%.*s", (int)len, text);
    if (!bar_menu_find(l->menu, name)) {
        const struct bar_item *like = NULL;
        int best = 4;
        for (size_t i = 0; i < l->menu->item_count; i++) {
            int d = str_distance(name, l->menu->items[i].name, best);
            if (d < best) {
                best = d;
                like = &l->menu->items[i];
            }
        }
        return yaml_err(n, l->e, "'%s' is not an item of this menu%s%s%s", name,
                        like ? "; did you mean '" : "", like ? like->name : "",
                        like ? "'?" : "");
    }
    if (!open)
        return 0;
    len = strlen(open + 1);
    if (len == 0 || open[len] != ')')
        return yaml_err(n, l->e, "'%s' does not end with ')'", text);
    snprintf(modifier, sizeof(modifier), "%.*s", (int)len - 1, open + 1);
    if (!bar_menu_find_modifier(l->menu, modifier))
        return yaml_err(n, l->e, "'%s' is not one of the modifiers", modifier);
    return 0;
}

static int load_moods(struct loader *l, const struct yaml_node *root)
{
    static const char *const keys[] = {"name", "aliases", "sentence", "items", NULL};
    struct bar_menu *m = l->menu;
    const struct yaml_node *list, *items;

    if (need_members(l, root, "moods", &list))
        return -1;
    m->moods = bar__take(m, yaml_count(list) * sizeof(*m->moods));
    for (size_t i = 0; i < yaml_count(list); i++) {
        const struct yaml_node *n = yaml_at(list, i);
        struct bar_mood *mood = &m->moods[m->mood_count++];
        if (yaml_only_keys(n, keys, l->e) ||
            need_text(l, n, "name", BAR_NAME_MAX, &mood->name) ||
            need_text(l, n, "sentence", LINE_MAX_BYTES, &mood->sentence) ||
            take_list(l, n, "aliases", true, &mood->aliases) ||
            need_members(l, n, "items", &items) ||
            take_list(l, n, "items", false, &mood->items))
            return -1;
        for (size_t k = 0; mood->items[k]; k++)
            if (check_mood_item(l, yaml_at(items, k), mood->items[k]))
                return -1;
        if (claim(l, &m->by_mood, yaml_get(n, "name"), mood->name, mood, mood_name) ||
            claim_aliases(l, &m->by_mood, n, mood->aliases, mood, mood_name))
            return -1;
    }
    if (!bar_menu_find_mood(m, POPULAR))
        return yaml_err(list, l->e, "there is no mood '%s'; it is used when nothing else fits",
                        POPULAR);
    return 0;
}

static int load_liquors(struct loader *l, const struct yaml_node *root)
{
    struct bar_menu *m = l->menu;
    const struct yaml_node *list;

    if (need_members(l, root, "liquors", &list))
        return -1;
    if (yaml_count(list) > BAR__LIQUORS_MAX)
        return yaml_err(list, l->e, "'liquors' has %zu members; at most %d", yaml_count(list),
                        BAR__LIQUORS_MAX);
    for (size_t i = 0; i < yaml_count(list); i++) {
        const struct yaml_node *n = yaml_at(list, i);
        const char *name = NULL;
        if (take_text(l, n, BAR_NAME_MAX, &name))
            return -1;
        m->liquors[i] = bar_menu_find(m, name);
        if (!m->liquors[i])
            return yaml_err(n, l->e, "liquor '%s' is not an item of this menu", name);
        for (size_t k = 0; k < i; k++)
            if (m->liquors[k] == m->liquors[i])
                return yaml_err(n, l->e, "liquor '%s' stands here twice", name);
        m->liquor_count++;
    }
    return 0;
}

static int load(struct loader *l, const struct yaml_node *root)
{
    static const char *const keys[] = {"house",     "categories", "moods",
                                       "modifiers", "liquors",    NULL};

    if (yaml_only_keys(root, keys, l->e) ||
        need_text(l, root, "house", BAR_NAME_MAX, &l->menu->house) ||
        load_categories(l, root) || load_modifiers(l, root) || load_moods(l, root))
        return -1;
    return load_liquors(l, root);
}

int bar_menu_load(const char *folder, struct bar_menu **ret, struct err *e)
{
    char *path = xprintf("%s/menu.yaml", folder);
    struct bar_menu *m = xalloc(sizeof(*m));
    struct loader l = {m, e};
    struct yaml *y = NULL;
    int rc;

    map_init(&m->by_item, 1);
    map_init(&m->by_mood, 2);
    map_init(&m->by_modifier, 3);
    rc = yaml_load(path, &y, e);
    if (rc == 0) {
        const struct yaml_node *root = yaml_root(y);
        rc = root ? load(&l, root) : err_set(e, ERR_AGENT, 0, "%s:1: the file is empty", path);
        yaml_close(&y);
    }
    free(path);
    if (rc) {
        bar_menu_free(&m);
        return -1;
    }
    *ret = m;
    return 0;
}
