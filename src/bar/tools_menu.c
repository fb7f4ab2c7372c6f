/* Tools that look at the menu. */
#include "bar/tool_int.h"

#include "base/buf.h"
#include "base/strs.h"

#include <string.h>

static void put_buf(struct bar__call *c, const char *key, struct buf *b)
{
    if (b->full)
        c->full = true;
    bar__put(c, key, json_string(buf_text(b)));
    buf_release(b);
}

void bar__get_menu(struct bar__call *c)
{
    struct buf b = BUF_INIT;
    json_t *items = json_array();
    size_t count;
    const struct bar_item *all = bar_menu_items(c->g->menu, &count);

    for (size_t i = 0; items && i < count; i++)
        if (json_array_append_new(
                items, json_pack("{s:s, s:s, s:f, s:I, s:s}", "name", all[i].name, "category",
                                 all[i].category, "price", (double)all[i].price_cents / 100.0,
                                 "price_cents", (json_int_t)all[i].price_cents, "description",
                                 all[i].description)))
            c->full = true;
    bar_menu_text(c->g->menu, &b);
    put_buf(c, "text", &b);
    bar__put(c, "items", items);
}

void bar__get_price(struct bar__call *c)
{
    const char *name = bar__arg(c, "item_name")->text;
    const struct bar_item *item = bar_menu_find(c->g->menu, name);
    char price[24];

    if (!item) {
        bar__refuse_item(c, name);
        return;
    }
    bar_money(item->price_cents, price);
    bar__put_text(c, "text", "%s costs %s.", item->name, price);
    bar__put(c, "name", json_string(item->name));
    bar__put(c, "category", json_string(item->category));
    bar__put(c, "description", json_string(item->description));
    bar__put_money(c, "price", item->price_cents);
}

static bool has_tag(const struct bar_item *item, const char *tag)
{
    for (size_t i = 0; item->tags[i]; i++)
        if (strcmp(item->tags[i], tag) == 0)
            return true;
    return false;
}

/* Append to the names and to the text; true when memory held. */
static void recommend(struct bar__call *c, json_t *names, struct buf *text, const char *name)
{
    buf_printf(text, "%s%s", json_array_size(names) ? ", " : "", name);
    if (json_array_append_new(names, json_string(name)))
        c->full = true;
}

static void recommend_mood(struct bar__call *c, const struct bar_mood *mood, json_t *names,
                           struct buf *text)
{
    buf_printf(text, "%s: ", mood->sentence);
    for (size_t i = 0; mood->items[i]; i++)
        recommend(c, names, text, mood->items[i]);
    bar__put(c, "mood", json_string(mood->name));
}

static void recommend_tag(struct bar__call *c, const char *tag, json_t *names, struct buf *text)
{
    buf_printf(text, "For something with %s, I'd recommend: ", tag);
    for (size_t i = 0; i < c->g->menu->item_count; i++)
        if (has_tag(&c->g->menu->items[i], tag))
            recommend(c, names, text, c->g->menu->items[i].name);
    bar__put(c, "ingredient", json_string(tag));
}

/* The word of a wish that is a mood or a tag: the whole text, or the first word that is one. */
static bool understand(struct bar__call *c, const char *said, const struct bar_mood **ret_mood,
                       char ret_tag[BAR_NAME_MAX])
{
    const struct bar_menu *m = c->g->menu;

    if (!bar_normal(said, strlen(said), ret_tag, BAR_NAME_MAX) || !ret_tag[0])
        return false;
    *ret_mood = bar_menu_find_mood(m, ret_tag);
    if (*ret_mood)
        return true;
    for (size_t i = 0; i < m->item_count; i++)
        if (has_tag(&m->items[i], ret_tag))
            return true;
    return false;
}

void bar__get_recommendation(struct bar__call *c)
{
    const char *said = bar__arg(c, "preference")->text, *at = said;
    const struct bar_mood *mood = NULL;
    char tag[BAR_NAME_MAX], word[BAR_NAME_MAX];
    bool found = understand(c, said, &mood, tag);
    struct buf text = BUF_INIT;
    json_t *names = json_array();

    while (!found && *at) {
        size_t space = strspn(at, " \t,.!?;:"), len = strcspn(at + space, " \t,.!?;:");
        if (len > 0 && len < sizeof(word)) {
            memcpy(word, at + space, len);
            word[len] = '\0';
            found = understand(c, word, &mood, tag);
        }
        at += space + len;
    }
    if (!found)
        mood = bar_menu_find_mood(c->g->menu, "popular");
    if (mood)
        recommend_mood(c, mood, names, &text);
    else
        recommend_tag(c, tag, names, &text);
    put_buf(c, "text", &text);
    bar__put(c, "items", names);
}
