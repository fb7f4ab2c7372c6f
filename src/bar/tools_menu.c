/* Tools that look at the menu. */
#include "bar/tool_int.h"

#include "base/buf.h"
#include "base/strs.h"

#include <string.h>

#define WORDS_MAX 24
#define RUN_MAX 4 /* "hair of the dog" */

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

/* Append to the names and to the text. */
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

/* What a wish is about: a mood, or (with no mood) what may be among the tags. */
struct wish {
    const struct bar_mood *mood;
    char tag[BAR_NAME_MAX];
};

/* Is this run of words a mood or a tag? */
static bool understand(const struct bar_menu *m, struct str words, struct wish *ret)
{
    if (!bar_normal(words.data, words.len, ret->tag, sizeof(ret->tag)) || !ret->tag[0])
        return false;
    ret->mood = bar_menu_find_mood(m, ret->tag);
    if (ret->mood)
        return true;
    for (size_t i = 0; i < m->item_count; i++)
        if (has_tag(&m->items[i], ret->tag))
            return true;
    return false;
}

/* The longest run of words that means something; the first of those. False: none does. */
static bool find_wish(const struct bar_menu *m, const char *said, struct wish *ret)
{
    static const char gaps[] = " \t\r\n,.!?;:";
    struct str words[WORDS_MAX];
    size_t count = 0;

    for (const char *at = said + strspn(said, gaps); *at && count < WORDS_MAX;) {
        words[count] = (struct str){at, strcspn(at, gaps)};
        at += words[count].len;
        at += strspn(at, gaps);
        count++;
    }
    for (size_t run = count < RUN_MAX ? count : RUN_MAX; run > 0; run--)
        for (size_t i = 0; i + run <= count; i++) {
            const struct str *last = &words[i + run - 1];
            size_t len = (size_t)(last->data - words[i].data) + last->len;
            if (understand(m, (struct str){words[i].data, len}, ret))
                return true;
        }
    return false;
}

void bar__get_recommendation(struct bar__call *c)
{
    const struct bar_menu *m = c->g->menu;
    struct wish wish = {0};
    struct buf text = BUF_INIT;
    json_t *names = json_array();

    if (!find_wish(m, bar__arg(c, "preference")->text, &wish))
        wish.mood = bar_menu_find_mood(m, "popular");
    if (wish.mood)
        recommend_mood(c, wish.mood, names, &text);
    else
        recommend_tag(c, wish.tag, names, &text);
    put_buf(c, "text", &text);
    bar__put(c, "items", names);
}
